//! The life of a serving process: opens, listens, drains, closes.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::{SystemClock, SystemEntropy};
use crate::config::Config;
use crate::demo;
use crate::gateway::sandbox::{self, Sandbox};
use crate::mail::folder::Folder;
use crate::service::mails::Post;
use crate::service::{Engine, Refused};
use crate::store::{Store, StoreError, installation};
use crate::web::{self, Web, WebConfig};
use crate::work;

/// Why a process could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database.
    #[error("the database can't be used: {0}")]
    Store(#[from] StoreError),
    /// The address.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The ledger of an older installation.
    #[error("the ledger can't be opened: {0}")]
    Ledger(#[from] Refused),
    /// The demo.
    #[error(transparent)]
    Demo(#[from] demo::DemoError),
    /// The mail server's address.
    #[error("mail can't be sent: {0}")]
    Mail(String),
    /// The server itself.
    #[error("the server stopped: {0}")]
    Server(#[from] std::io::Error),
}

/// The engine of a process that serves: the machine's clock, and the sandbox as the gateway.
///
/// # Errors
/// When the database can't be used.
pub async fn engine(store: Store) -> Result<(Engine, Sandbox), StoreError> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let key = installation::secret(&store, installation::FINGERPRINTS, &*entropy).await?;
    let sandbox = Sandbox::new(store.clone(), clock.clone(), entropy.clone(), key);
    let engine = Engine::new(store, Arc::new(sandbox.clone()), clock, entropy);
    Ok((engine, sandbox))
}

/// Serves until SIGTERM or SIGINT, then lets requests and work under way finish, for as long as the
/// settings say, and closes the store.
///
/// # Errors
/// When the database can't be used or the address is taken.
pub async fn serve(config: &Config) -> Result<(), ServeError> {
    let store = Store::open(config.store.database.as_str()).await?;
    let (engine, sandbox) = engine(store.clone()).await?;
    // Before anything new is booked.
    engine.open_ledger().await?;
    engine.open_subscription_items().await?;
    engine.open_tax_ids().await?;
    engine.open_invoice_prefixes().await?;
    sandbox.slow_down(Duration::from_millis(config.sandbox_delay_millis));
    let address = config.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| ServeError::Listen { address, error })?;
    let public = config.public_url();
    let folder = Folder::new(config.mail_folder());
    let post = Post::open(&config.mail(), folder, public.clone()).map_err(ServeError::Mail)?;
    let engine = engine.with_post(post.clone());
    if config.demo {
        show_demo(&engine, config).await?;
    }
    let (stop, stopped) = watch::channel(false);
    if let Some(address) = config.metrics_listen {
        measure(engine.clone(), address, stopped.clone()).await?;
    }
    let worker = tokio::spawn(work::run(engine.clone(), stopped.clone()));
    let postman = post.map(|post| {
        let (engine, stopped) = (engine.clone(), stopped.clone());
        tokio::spawn(work::post::run(engine, post, stopped))
    });
    let web = Web::new(
        engine,
        WebConfig {
            public: public.clone(),
            trust_proxy: config.trust_proxy,
            limited: !config.no_rate_limits,
            dev: config.dev || config.demo,
        },
    );
    let app = web::router(web, sandbox::router(sandbox));
    web::assets::check_build();
    tracing::info!(%address, url = public.origin(), "serving");
    let outcome = listen(listener, app, stop.clone(), stopped, config.drain_seconds).await;
    // The worker finishes what it has begun; it hears it here too, where the server ended by itself.
    stop.send_replace(true);
    let drain = Duration::from_secs(config.drain_seconds);
    if tokio::time::timeout(drain, worker).await.is_err() {
        tracing::warn!("the worker did not finish in time; the next start settles what is open");
    }
    if let Some(postman) = postman
        && tokio::time::timeout(drain, postman).await.is_err()
    {
        tracing::warn!("mail was under way to the end; what is not noted as sent is sent again");
    }
    store.close().await;
    tracing::info!("closed");
    outcome
}

/// Serves the operator's metrics beside everything else, until `stopped` says so.
async fn measure(
    engine: Engine,
    address: SocketAddr,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| ServeError::Listen { address, error })?;
    tracing::info!(%address, "serving metrics");
    let serving =
        axum::serve(listener, work::metrics::router(engine)).with_graceful_shutdown(async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        });
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the metrics are not served any more");
        }
    });
    Ok(())
}

/// Makes the demo if it is not there yet, and prints the ways into it.
async fn show_demo(engine: &Engine, config: &Config) -> Result<(), ServeError> {
    tracing::info!(
        "preparing the demo; the first time it lives through a year, which takes seconds"
    );
    let report = demo::open(engine, config.public_url().origin()).await?;
    if let Some(path) = &config.demo_json {
        report.write(path)?;
    }
    println!("{}", report.text());
    Ok(())
}

async fn listen(
    listener: TcpListener,
    app: axum::Router,
    stop: watch::Sender<bool>,
    mut stopped: watch::Receiver<bool>,
    drain_seconds: u64,
) -> Result<(), ServeError> {
    tokio::spawn(async move {
        asked_to_stop().await;
        tracing::info!("asked to stop; finishing what is under way");
        // Nobody listens any more where the server stopped by itself.
        let _ = stop.send(true);
    });
    let mut draining = stopped.clone();
    let listener = listener.tap_io(|connection| {
        // An answer is one write or two; waiting to fill a packet would only delay it.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "no nodelay");
        }
    });
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            // An error means that the sender is gone: then it is time as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        })
        .into_future();
    let overdue = async move {
        let _ = draining.wait_for(|stop| *stop).await;
        tokio::time::sleep(Duration::from_secs(drain_seconds)).await;
    };
    tokio::select! {
        outcome = serving => Ok(outcome?),
        () = overdue => {
            tracing::warn!(drain_seconds, "some requests did not finish in time");
            Ok(())
        }
    }
}

/// Waits for SIGTERM or SIGINT.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "SIGTERM can't be heard");
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        () = terminated => {}
        outcome = tokio::signal::ctrl_c() => {
            if let Err(error) = outcome {
                tracing::error!(%error, "SIGINT can't be heard");
            }
        }
    }
}
