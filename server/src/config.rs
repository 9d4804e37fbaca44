//! The settings: one struct, a doc comment a field. Each is an option of the command line and a
//! variable of the environment; the command line wins.

mod merchant;
mod simulate;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use perennial::id::MerchantId;

pub use merchant::MerchantUpdate;
pub use simulate::{DunningTrial, SimulateCommand};

use crate::mail::carrier::MailUrl;

const ABOUT: &str = "Self-serve subscription management and billing.";
const LONG_ABOUT: &str = "Self-serve subscription management and billing: a portal for customers, \
an API for the merchant's programs, and the engine that bills, in one binary with an embedded \
database.\n\nEvery option can also be set by the environment variable that stands beside it.";
const EXAMPLES: &str = "Examples:\n  \
perennial serve --demo\n      \
Try everything on http://127.0.0.1:3000 with a merchant made up for the purpose.\n  \
perennial merchant create --name Halden\n      \
Add a merchant and print its API keys, once.\n  \
perennial serve --database postgres://perennial@db/perennial --public-url https://billing.halden.example\n      \
Serve behind a proxy that ends TLS.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "perennial", version, about = ABOUT, long_about = LONG_ABOUT, after_long_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The roles of the binary.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the portal and the API, and do the work that comes due
    Serve(Config),
    /// Bring the database's schema up to date, and stop
    Migrate {
        /// The database.
        #[command(flatten)]
        store: StoreConfig,
        /// The logs.
        #[command(flatten)]
        log: LogConfig,
    },
    /// Prove that the books are in order: the ledger against the documents, payments and credits
    /// against paid invoices, each period of each subscription once; fails if anything is amiss
    Audit {
        /// Print one JSON object a merchant and mode, instead of a report for people
        #[arg(long)]
        json: bool,
        /// The database.
        #[command(flatten)]
        store: StoreConfig,
        /// The logs.
        #[command(flatten)]
        log: LogConfig,
    },
    /// Say how the work that falls due by itself does: what is due and how late, what was done, what
    /// failed and is set aside, and who works
    Status {
        /// Print one JSON object, instead of text for people
        #[arg(long)]
        json: bool,
        /// First let everything that is set aside be tried again at once: after a fix
        #[arg(long)]
        retry: bool,
        /// The database.
        #[command(flatten)]
        store: StoreConfig,
        /// The logs.
        #[command(flatten)]
        log: LogConfig,
    },
    /// Manage the merchants of this installation
    Merchant {
        /// What to do with them.
        #[command(subcommand)]
        command: MerchantCommand,
    },
    /// Try out decisions on made-up worlds; touches no database
    Simulate {
        /// What.
        #[command(subcommand)]
        command: SimulateCommand,
    },
}

/// What can be done with merchants.
#[derive(Debug, Subcommand)]
pub enum MerchantCommand {
    /// Add a merchant and print its API keys; they are kept only as hashes and never shown again
    Create {
        /// The business's name, as customers know it
        #[arg(long, value_name = "NAME", value_parser = merchant_name)]
        name: String,
        /// The database.
        #[command(flatten)]
        store: StoreConfig,
        /// The logs.
        #[command(flatten)]
        log: LogConfig,
    },
    /// Change a merchant's brand, its imprint on invoices, or who may show its portal in a frame
    Update {
        /// Which, as `merchant list` names it
        #[arg(long, value_name = "ID", value_parser = merchant::merchant_id)]
        merchant: MerchantId,
        /// The changes.
        #[command(flatten)]
        changes: Box<MerchantUpdate>,
        /// The database.
        #[command(flatten)]
        store: StoreConfig,
        /// The logs.
        #[command(flatten)]
        log: LogConfig,
    },
    /// Change the key of the links in hosted_invoice_url, invoice_pdf and pdf: links of the key before
    /// go on working until the next change
    ChangeLinkKey {
        /// The database.
        #[command(flatten)]
        store: StoreConfig,
        /// The logs.
        #[command(flatten)]
        log: LogConfig,
    },
    /// List the merchants of this installation, oldest first
    List {
        /// The database.
        #[command(flatten)]
        store: StoreConfig,
        /// The logs.
        #[command(flatten)]
        log: LogConfig,
    },
}

impl MerchantCommand {
    /// How it logs.
    #[must_use]
    pub fn log(&self) -> &LogConfig {
        match self {
            Self::Create { log, .. }
            | Self::Update { log, .. }
            | Self::List { log, .. }
            | Self::ChangeLinkKey { log, .. } => log,
        }
    }
}

/// All that a serving process can be told.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where to listen: an address and a port
    #[arg(
        long,
        env = "PERENNIAL_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:3000"
    )]
    pub listen: SocketAddr,

    /// The database.
    #[command(flatten)]
    pub store: StoreConfig,

    /// How the outside world reaches this server, such as `https://billing.example.com`; links begin
    /// with it, and https turns on secure cookies [default: http:// and the address listened on]
    #[arg(long, env = "PERENNIAL_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    /// Serve a merchant made up for trying everything, with customers and a year of invoices; only
    /// on a database of its own
    #[arg(long, env = "PERENNIAL_DEMO")]
    pub demo: bool,

    /// With --demo: write the demo's merchant, API key and portal links to this file, as JSON, for
    /// test harnesses
    #[arg(long, env = "PERENNIAL_DEMO_JSON", value_name = "FILE")]
    pub demo_json: Option<PathBuf>,

    /// Where mail to customers goes: smtp://, smtps:// or smtp+starttls://USER:PASSWORD@HOST:PORT, a
    /// folder as maildir:PATH, or off [default: maildir: and the folder `mail` beside the database]
    #[arg(
        long,
        env = "PERENNIAL_MAIL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub mail: Option<MailUrl>,

    /// The folder for mail that must not leave this machine, as that of test mode [default: `mail`
    /// beside the database]
    #[arg(long, env = "PERENNIAL_MAIL_FOLDER", value_name = "PATH")]
    pub mail_folder: Option<PathBuf>,

    /// Show pages for those who build with this server: /dev/mail has the mails of test mode. Never
    /// where customers come; --demo includes it
    #[arg(long, env = "PERENNIAL_DEV")]
    pub dev: bool,

    /// Serve the operator's metrics, in Prometheus' text format, at /metrics of this address; nobody is
    /// asked who they are there, so keep it from the outside [default: not served]
    #[arg(long, env = "PERENNIAL_METRICS_LISTEN", value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,

    /// Take the client's address from the last entry of X-Forwarded-For; only behind a proxy that
    /// sets it
    #[arg(long, env = "PERENNIAL_TRUST_PROXY")]
    pub trust_proxy: bool,

    /// Serve without limits on the rate of requests; for measurements only
    #[arg(long, env = "PERENNIAL_NO_RATE_LIMITS")]
    pub no_rate_limits: bool,

    /// Let the test bank take so many milliseconds to hear of a charge, and as many to answer; for
    /// trying out crashes and slow banks
    #[arg(
        long,
        env = "PERENNIAL_SANDBOX_DELAY_MILLIS",
        value_name = "MILLIS",
        default_value_t = 0,
        hide = true
    )]
    pub sandbox_delay_millis: u64,

    /// How long to wait, on SIGTERM or SIGINT, for requests and work under way
    #[arg(
        long,
        env = "PERENNIAL_DRAIN_SECONDS",
        value_name = "SECONDS",
        default_value_t = 25
    )]
    pub drain_seconds: u64,

    /// The logs.
    #[command(flatten)]
    pub log: LogConfig,
}

impl Config {
    /// The folder for mail that does not leave.
    #[must_use]
    pub fn mail_folder(&self) -> PathBuf {
        let own = self.mail_folder.clone();
        own.unwrap_or_else(|| self.store.database.folder().join("mail"))
    }

    /// Where mail to customers goes.
    #[must_use]
    pub fn mail(&self) -> MailUrl {
        let folder = || MailUrl::Folder(self.mail_folder());
        self.mail.clone().unwrap_or_else(folder)
    }

    /// How the outside world reaches this server.
    #[must_use]
    pub fn public_url(&self) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl {
            origin: format!("http://{}", self.listen),
        })
    }
}

/// Where the data lies.
#[derive(Args, Clone, Debug)]
pub struct StoreConfig {
    /// sqlite:PATH (one file, made if missing) or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "sqlite:data/perennial.db"
    )]
    pub database: DatabaseUrl,
}

/// What is logged, and how. Logs go to standard error.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// What to log: error, warn, info, debug or trace, also by module as in
    /// info,server::work=debug
    #[arg(
        long,
        env = "PERENNIAL_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,

    /// How to write logs
    #[arg(
        long,
        env = "PERENNIAL_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value_t = LogFormat::Auto
    )]
    pub log_format: LogFormat,
}

/// The look of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere
    Auto,
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

/// A database's address. It may hold a password, so its `Debug` shows the kind only.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder for what is kept beside it: that of the file, or `data` for a server.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let path = self.0.strip_prefix("sqlite:");
        match path.map(|path| Path::new(path.trim_start_matches("//")).parent()) {
            Some(parent) => parent.map_or_else(PathBuf::new, Path::to_path_buf),
            None => PathBuf::from("data"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.0.split(':').next().unwrap_or_default();
        write!(f, "{kind}:…")
    }
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let file = text
            .strip_prefix("sqlite:")
            .is_some_and(|path| !path.trim_start_matches("//").is_empty());
        let server = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if file || server {
            Ok(Self(text.to_owned()))
        } else {
            Err("it must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")
        }
    }
}

/// The scheme, host and port under which the server is known outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
}

impl PublicUrl {
    /// As browsers write it in `Origin`: no slash at its end.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host without scheme and port.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.origin.split_once("://").map_or("", |(_, host)| host);
        // An address of IPv6 stands in brackets and has colons of its own.
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        }
    }

    /// Whether browsers come over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str =
            "it must be http:// or https:// and a host, with a port if need be, and nothing after";
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, host) = text.split_once("://").ok_or(WANTED)?;
        let scheme = scheme.to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]_".contains(c);
        if !matches!(scheme.as_str(), "http" | "https")
            || host.is_empty()
            || !host.chars().all(plain)
        {
            return Err(WANTED);
        }
        // Browsers leave the scheme's own port out of `Origin`.
        let own_port = if scheme == "https" { ":443" } else { ":80" };
        let host = host.strip_suffix(own_port).unwrap_or(host);
        Ok(Self {
            origin: format!("{scheme}://{}", host.to_ascii_lowercase()),
        })
    }
}

/// The longest name of a merchant, in characters.
const MERCHANT_NAME_CHARS_MAX: usize = 100;

fn merchant_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err("a name is needed".to_owned());
    }
    if name.chars().count() > MERCHANT_NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(format!(
            "at most {MERCHANT_NAME_CHARS_MAX} characters on one line"
        ));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
