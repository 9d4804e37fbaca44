//! Logs: text for people on a terminal, one JSON object a line elsewhere. Every line of a request
//! carries its id. Secrets never reach a line: what may hold one prints itself without it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Starts logging to standard error, for the rest of the process.
///
/// # Errors
/// When the filter can't be read.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| format!("the log filter '{}' can't be read: {error}", config.log))?;
    let json = match config.log_format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        registry
            .with(lines.json().flatten_event(true).with_span_list(false))
            .try_init()
    } else {
        registry.with(lines.with_target(false)).try_init()
    };
    started.map_err(|error| error.to_string())
}
