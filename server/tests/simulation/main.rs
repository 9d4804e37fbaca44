//! Years of business in seconds, with crashes.
//!
//! A seed makes a world: customers who act at random, a bank that declines, lines that break, a clock
//! that leaps, and processes that die wherever they wait. Its twin lives through the same without broken
//! lines and crashes, and with one process where the world now and then has two at once. After each step
//! the books must hold, and both worlds must be the same.
//!
//! `SEEDS=1-200 STEPS=120` makes it go on for longer; a failure prints the seed that repeats it.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod acts;
mod bank;
mod books;
mod by_hand;
mod chance;
mod ground;
mod items;
mod life;
mod looks;
mod visits;

use std::sync::Arc;

use perennial::calendar::Timestamp;
use server::clock::Ordered;

use acts::Made;
use bank::Bank;
use chance::{Chance, roll};
use ground::Ground;
use life::{Crashed, Fuse, Growing, Inside, Outside, Processes, Sky};
use looks::Looks;

/// 2027-01-31 10:00:00 UTC: a leap year is near.
const START: Timestamp = Timestamp(1_801_389_600);
/// Crashes that one step may bring.
const CRASHES_MAX: u64 = 3;
/// How long the engine waits for news of a newer invoice, in seconds.
const PUT_OFF_SECONDS: i64 = 3_600;
/// How long a world lives at least, in seconds: two years.
const TIME_MIN: i64 = 2 * 366 * 86_400;

/// A world as it goes on.
struct World {
    outside: Outside,
    made: Made,
    chance: Chance,
    /// Where processes die; `None` in a twin.
    danger: Option<Chance>,
    crashes: u64,
    seconds: i64,
    /// Acts so far.
    acts: u64,
    /// What was seen of the world before.
    looks: Looks,
}

impl World {
    fn new(seed: u64, ground: &Ground, storm: bool) -> Self {
        let fuse = Fuse::default();
        let (sky, entropy) = (
            Sky::new(START, fuse.clone()),
            Growing::new(seed, fuse.clone()),
        );
        let mut outside = Outside {
            url: ground.url.clone(),
            ordered: Arc::new(Ordered::new(entropy.clone(), sky.clone())),
            entropy,
            sky,
            bank: Bank::new(seed, storm, fuse.clone()),
            fuse,
            key: String::new(),
            processes: Processes::One,
        };
        let mut made = Made {
            backs_up: holds_alone(seed),
            ..Made::default()
        };
        let key = outside.live(0, async |inside| {
            let (_, keys) = inside.engine.create_merchant("Halden").await.unwrap();
            keys.test
        });
        outside.key = key.unwrap();
        outside
            .live(0, async |inside| acts::open(inside, &mut made).await)
            .unwrap();
        Self {
            outside,
            made,
            chance: Chance::new(roll(seed, "acts")),
            danger: storm.then(|| Chance::new(roll(seed, "danger"))),
            crashes: 0,
            seconds: 0,
            acts: 0,
            looks: Looks::default(),
        }
    }

    /// Time leaps, what is due is done, somebody acts, and what follows from that is done too. Answers
    /// with what was done and how the world looks.
    fn step(&mut self) -> (String, Vec<String>) {
        if let Some(danger) = &mut self.danger {
            // Now and then another process works on the same database.
            self.outside.processes = match danger.below(3) {
                0 => Processes::One,
                _ => Processes::Two,
            };
        }
        let leap = acts::leap(&mut self.chance);
        self.outside.sky.leap(leap);
        self.seconds += leap;
        self.crashes += settle(&mut self.outside, self.danger.as_mut());
        let answers = self.chance.below(4);
        if answers < 2 {
            self.outside.bank.answer_one(answers == 0);
        }
        let did = self.act();
        self.crashes += settle(&mut self.outside, self.danger.as_mut());
        let bank = self.outside.bank.clone();
        let looks = &mut self.looks;
        let look = async |inside: &Inside| {
            looks.look(inside).await;
            books::hold(inside, &bank, looks, &did).await;
            books::picture(inside, looks).await
        };
        let picture = self.outside.live(0, look).unwrap();
        (did, picture)
    }
}

impl World {
    /// Whether an attempt was put off for an hour, because the bank could not be heard about a newer
    /// invoice: that is what the engine is to do, and its twin, who could hear the bank, did not.
    fn is_put_off(&self) -> bool {
        let now = START.0 + self.seconds;
        let soon = |invoice: &serde_json::Value| {
            let next = invoice["next_payment_attempt"].as_i64();
            let waits = next.is_some_and(|at| at > now && at <= now + PUT_OFF_SECONDS);
            waits && invoice["status"] == "open" && invoice["attempted"] == true
        };
        self.looks.invoices.values().any(soon)
    }

    /// Somebody acts; where there is danger, processes die in the midst of it, and whoever acted asks
    /// again.
    fn act(&mut self) -> String {
        self.acts += 1;
        let number = self.acts;
        loop {
            // An act that is done again draws the same numbers.
            let (mut made, mut chance) = (self.made.clone(), self.chance.clone());
            let danger = self.danger.as_mut();
            let steps = danger.map_or(0, |danger| match danger.below(3) {
                0 => danger.between(1, 150),
                _ => 0,
            });
            let bank = self.outside.bank.clone();
            let act = async |inside: &Inside| {
                inside.begin_act(number);
                let act = acts::act(inside, &bank, &mut made, &mut chance);
                tokio::join!(act, inside.sweep_beside()).0
            };
            let done = self.outside.live(steps, act);
            match done {
                Ok(did) => {
                    (self.made, self.chance) = (made, chance);
                    return did;
                }
                Err(Crashed) => self.crashes += 1,
            }
            let start = async |inside: &Inside| {
                inside.wait_for_keys().await;
                inside.settle().await;
            };
            self.outside.live(0, start).unwrap();
        }
    }
}

/// Does what is due, through crashes where there is danger. Answers with their number.
fn settle(outside: &mut Outside, danger: Option<&mut Chance>) -> u64 {
    let mut crashes = 0;
    if let Some(danger) = danger {
        while crashes < CRASHES_MAX {
            let steps = danger.between(1, 80);
            match outside.live(steps, async |inside| inside.settle().await) {
                Ok(()) => return crashes,
                Err(Crashed) => crashes += 1,
            }
        }
    }
    outside
        .live(0, async |inside| inside.settle().await)
        .unwrap();
    crashes
}

/// Whether customers of a seed's worlds allow second cards. A process that dies between a decline and the
/// second card leaves that for the schedule, by design; so these worlds may differ from their twins, and
/// only the books of each must hold.
const fn holds_alone(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

/// A world and its twin.
fn compare(seed: u64, steps: u64, postgres: bool) {
    if std::env::var("SAY").is_ok() {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
    }
    let lived = std::panic::catch_unwind(|| {
        let (ground, calm_ground) = (Ground::new(postgres), Ground::new(postgres));
        let mut world = World::new(seed, &ground, true);
        let mut twin = World::new(seed, &calm_ground, false);
        let (mut step, mut alone) = (0, holds_alone(seed));
        while step < steps || world.seconds < TIME_MIN {
            let (did, picture) = world.step();
            let (calmly, calm) = twin.step();
            if std::env::var("SAY").is_ok() {
                println!("{seed}/{step} at day {}: {did}", world.seconds / 86_400);
            }
            if !alone && picture != calm && world.is_put_off() {
                println!("seed {seed}: put off from step {step} on");
                alone = true;
            }
            if !alone && picture != calm {
                came_apart(
                    step,
                    &format!("{did}; in the twin {calmly}"),
                    &picture,
                    &calm,
                );
            }
            step += 1;
        }
        println!(
            "seed {seed}: {step} steps, {} days, {} invoices, {} crashes, {} subscriptions",
            world.seconds / 86_400,
            world.looks.invoices.len(),
            world.crashes,
            world.made.subscriptions.len()
        );
    });
    if lived.is_err() {
        let database = if postgres { " DATABASE=postgres" } else { "" };
        panic!("to see it again: make simulate SEEDS={seed} STEPS={steps}{database}");
    }
}

/// Says where a world and its twin differ: what one has and the other has not, and the fields in which
/// those that seem to be the same differ.
fn came_apart(step: u64, did: &str, world: &[String], twin: &[String]) {
    println!("step {step} ({did}): a world and its twin came apart");
    let only = |own: &[String], other: &[String]| -> Vec<String> {
        let own = own.iter().filter(|line| !other.contains(line));
        own.cloned().collect()
    };
    let (ours, theirs) = (only(world, twin), only(twin, world));
    for (name, lines) in [("world", &ours), ("twin", &theirs)] {
        for line in lines {
            println!("only in the {name}: {line}");
        }
    }
    for (own, other) in ours.iter().zip(&theirs) {
        let parsed = |line: &str| {
            let (_, json) = line.split_once(' ')?;
            serde_json::from_str::<serde_json::Value>(json).ok()
        };
        if let (Some(own), Some(other)) = (parsed(own), parsed(other)) {
            println!("differing:");
            differing("", &own, &other);
        }
    }
    panic!("a world and its twin came apart");
}

fn differing(place: &str, own: &serde_json::Value, other: &serde_json::Value) {
    use serde_json::Value::{Array, Object};
    match (own, other) {
        (Object(fields), Object(others)) => {
            for (name, value) in fields {
                let missing = serde_json::Value::Null;
                let other = others.get(name).unwrap_or(&missing);
                differing(&format!("{place}.{name}"), value, other);
            }
        }
        (Array(values), Array(others)) if values.len() == others.len() => {
            for (index, (own, other)) in values.iter().zip(others).enumerate() {
                differing(&format!("{place}.{index}"), own, other);
            }
        }
        (own, other) if own != other => println!("  {place}: {own}, in the twin {other}"),
        _ => {}
    }
}

/// `3`, `1-20` or `4,9`; what `SEEDS` says, or these.
fn seeds(usual: &str) -> Vec<u64> {
    let text = std::env::var("SEEDS").unwrap_or_else(|_| usual.to_owned());
    let parts = text.split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    });
    parts.flatten().collect()
}

fn steps() -> u64 {
    let steps = std::env::var("STEPS").ok();
    steps.and_then(|steps| steps.parse().ok()).unwrap_or(40)
}

/// Whether a run by hand asks for this database: `DATABASE=sqlite` or `DATABASE=postgres`; both, if not
/// said.
fn wanted(database: &str) -> bool {
    std::env::var("DATABASE").map_or(true, |wanted| wanted == database)
}

#[test]
fn a_world_with_crashes_ends_as_its_twin_on_sqlite() {
    if wanted("sqlite") {
        for seed in seeds("2,3") {
            compare(seed, steps(), false);
        }
    }
}

#[test]
fn a_world_with_crashes_ends_as_its_twin_on_postgres() {
    if wanted("postgres") && std::env::var("TEST_POSTGRES_URL").is_ok() {
        for seed in seeds("13") {
            compare(seed, steps(), true);
        }
    }
}
