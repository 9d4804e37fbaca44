//! What can be tried out on the command line.

use clap::{Args, Subcommand};

use super::LogConfig;
use crate::simulate::dunning::report::{Table, compare};
use crate::simulate::dunning::world::Variant;

/// What can be tried out.
#[derive(Debug, Subcommand)]
pub enum SimulateCommand {
    /// Compare ways of retrying failed payments on made-up failures whose truth is known
    Dunning {
        /// How much.
        #[command(flatten)]
        trial: DunningTrial,
        /// The logs.
        #[command(flatten)]
        log: LogConfig,
    },
}

impl SimulateCommand {
    /// How it logs.
    #[must_use]
    pub fn log(&self) -> &LogConfig {
        let Self::Dunning { log, .. } = self;
        log
    }
}

/// A comparison of retry policies.
#[derive(Args, Clone, Debug)]
pub struct DunningTrial {
    /// Merchants' years to live through, each with a seed of its own
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub seeds: u32,

    /// Subscribers of each merchant; about one in twenty fails each month
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub customers: u32,

    /// One world only, such as base or no_pay_days; else all
    #[arg(long, value_name = "NAME", value_parser = world)]
    pub world: Option<Variant>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl DunningTrial {
    /// Runs it and answers with what to print.
    #[must_use]
    pub fn run(&self) -> String {
        let worlds = Variant::ALL.into_iter();
        let worlds = worlds.filter(|world| self.world.is_none_or(|wanted| wanted == *world));
        let tables = worlds.map(|world| compare(world, self.seeds, self.customers));
        if self.json {
            let tables: Vec<_> = tables.map(|table| table.json()).collect();
            return serde_json::Value::from(tables).to_string();
        }
        let texts: Vec<String> = tables.map(|table: Table| table.text()).collect();
        format!(
            "{}\nMeans over {} seeds with 95 % confidence intervals; gain and attempts in brackets are \
             against the first policy, seed by seed.",
            texts.join("\n"),
            self.seeds
        )
    }
}

fn world(text: &str) -> Result<Variant, String> {
    let found = Variant::ALL.into_iter().find(|world| world.name() == text);
    found.ok_or_else(|| {
        let names: Vec<&str> = Variant::ALL.iter().map(|world| world.name()).collect();
        format!("it must be one of {}", names.join(", "))
    })
}
