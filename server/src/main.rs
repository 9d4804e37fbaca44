//! The binary: reads the command line and runs one of its roles.

use std::process::ExitCode;

use clap::Parser;
use perennial::id::MerchantId;
use server::config::{
    Cli, Command, LogConfig, MerchantCommand, MerchantUpdate, SimulateCommand, StoreConfig,
};
use server::serving;
use server::store::{Store, key};

type Outcome = Result<(), String>;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // The last word goes to whoever started us, whatever the logs' filter.
            eprintln!("perennial: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Outcome {
    let log: &LogConfig = match &command {
        Command::Serve(config) => &config.log,
        Command::Migrate { log, .. } | Command::Audit { log, .. } | Command::Status { log, .. } => {
            log
        }
        Command::Merchant { command } => command.log(),
        Command::Simulate { command } => command.log(),
    };
    server::logging::start(log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        match &command {
            Command::Serve(config) => serving::serve(config).await.map_err(|e| e.to_string()),
            Command::Migrate { store, .. } => migrate(store).await,
            Command::Audit { json, store, .. } => audit(*json, store).await,
            Command::Status {
                json, retry, store, ..
            } => status(*json, *retry, store).await,
            Command::Merchant { command } => match command {
                MerchantCommand::Create { name, store, .. } => create_merchant(name, store).await,
                MerchantCommand::Update {
                    merchant,
                    changes,
                    store,
                    ..
                } => update_merchant(merchant, changes, store).await,
                MerchantCommand::ChangeLinkKey { store, .. } => change_link_key(store).await,
                MerchantCommand::List { store, .. } => list_merchants(store).await,
            },
            Command::Simulate {
                command: SimulateCommand::Dunning { trial, .. },
            } => {
                println!("{}", trial.run());
                Ok(())
            }
        }
    })
}

async fn change_link_key(store: &StoreConfig) -> Result<(), String> {
    let store = open(store).await?;
    let changed =
        server::store::installation::change_link_key(&store, &server::clock::SystemEntropy).await;
    let number = changed.map_err(|error| error.to_string())?;
    println!("Links are made with key {number} now; those of the key before still work.");
    store.close().await;
    Ok(())
}

async fn open(store: &StoreConfig) -> Result<Store, String> {
    let opened = Store::open(store.database.as_str()).await;
    opened.map_err(|error| format!("the database can't be used: {error}"))
}

async fn migrate(store: &StoreConfig) -> Outcome {
    // Opening brings the schema up to date.
    open(store).await?.close().await;
    println!("The database is up to date.");
    Ok(())
}

/// Prints what an audit of all merchants finds; an error when anything is amiss.
async fn audit(json: bool, store: &StoreConfig) -> Outcome {
    let store = open(store).await?;
    let (engine, _) = serving::engine(store.clone())
        .await
        .map_err(|e| e.to_string())?;
    let mut amiss = 0;
    let heard = |audit: server::service::audit::Audit| {
        amiss += audit.exceptions_count;
        match json {
            true => println!("{}", server::auditing::json(&audit)),
            false if audit.invoices + audit.customers == 0 => {}
            false => print!("{}", server::auditing::report(&audit)),
        }
    };
    engine.audit_all(heard).await.map_err(|e| e.to_string())?;
    store.close().await;
    match amiss {
        0 => Ok(()),
        1 => Err("the books are not in order: 1 exception".to_owned()),
        more => Err(format!("the books are not in order: {more} exceptions")),
    }
}

/// Says how the work does.
async fn status(json: bool, retry: bool, store: &StoreConfig) -> Outcome {
    let store = open(store).await?;
    let (engine, _) = serving::engine(store.clone())
        .await
        .map_err(|e| e.to_string())?;
    if retry {
        let tried = server::store::failure::retry_all(&store).await;
        let tried = tried.map_err(|e| e.to_string())?;
        eprintln!("{tried} pieces of work that were set aside are tried again by the next sweep.");
        let mails = server::store::mail::retry_all(&store).await;
        let mails = mails.map_err(|e| e.to_string())?;
        eprintln!("{mails} mails that were set aside are tried again.");
    }
    let status = engine.status().await.map_err(|e| e.to_string())?;
    store.close().await;
    match json {
        true => println!("{}", status.json()),
        false => print!("{}", status.text()),
    }
    Ok(())
}

async fn create_merchant(name: &str, store: &StoreConfig) -> Outcome {
    let store = open(store).await?;
    let (engine, _) = serving::engine(store.clone())
        .await
        .map_err(|e| e.to_string())?;
    let (merchant, keys) = engine
        .create_merchant(name)
        .await
        .map_err(|e| e.to_string())?;
    store.close().await;
    println!("Merchant     {}  {}", merchant.id, merchant.name);
    println!("Test key     {}", keys.test);
    println!("Live key     {}", keys.live);
    println!("The keys are shown only now: keep them where your programs find them.");
    Ok(())
}

async fn update_merchant(
    id: &MerchantId,
    changes: &MerchantUpdate,
    store: &StoreConfig,
) -> Outcome {
    // Judged before anything changes.
    let logo = changes.document_logo()?;
    let store = open(store).await?;
    let (engine, _) = serving::engine(store.clone())
        .await
        .map_err(|e| e.to_string())?;
    let merchant = engine
        .update_merchant(id, |merchant| changes.apply(merchant))
        .await
        .map_err(|e| e.to_string())?;
    if let Some(file) = logo {
        let kept = engine.keep_logo(id, file).await;
        kept.map_err(|e| e.to_string())?;
    }
    store.close().await;
    println!("Merchant     {}  {}", merchant.id, merchant.name);
    println!("The portal shows it from the next page on.");
    Ok(())
}

async fn list_merchants(store: &StoreConfig) -> Outcome {
    let store = open(store).await?;
    let mut read = store.read().await.map_err(|e| e.to_string())?;
    let merchants = key::merchants(&mut read).await.map_err(|e| e.to_string())?;
    drop(read);
    store.close().await;
    if merchants.is_empty() {
        println!("There is no merchant yet: perennial merchant create --name NAME");
    }
    for merchant in merchants {
        println!("{}  {}", merchant.id, merchant.name);
    }
    Ok(())
}
