//! Years of business in seconds, with crashes.
//!
//! A seed makes a world: customers who act at random, a bank that declines, lines that break, a clock
//! that leaps, and processes that die wherever they wait. Its twin lives through the same without broken
//! lines and crashes. After each step the books must hold; in the end both worlds must be the same.
//!
//! `SEEDS=1-200 STEPS=120` makes it go on for longer; a failure prints the seed that repeats it.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod acts;
mod bank;
mod books;
mod chance;
mod ground;
mod life;

use std::sync::Arc;

use perennial::calendar::Timestamp;
use server::clock::Ordered;

use acts::Made;
use bank::Bank;
use chance::{Chance, roll};
use ground::Ground;
use life::{Crashed, Fuse, Growing, Inside, Outside, Sky};

/// 2027-01-31 10:00:00 UTC: a leap year is near.
const START: Timestamp = Timestamp(1_801_389_600);
/// Crashes that one step may bring.
const CRASHES_MAX: u64 = 3;

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
        };
        let mut made = Made::default();
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
        }
    }

    /// Time leaps, what is due is done, somebody acts, and what follows from that is done too. Answers
    /// with what was done and how the world looks.
    fn step(&mut self) -> (String, Vec<String>) {
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
        let look = async |inside: &Inside| {
            books::hold(inside, &bank, &did).await;
            books::picture(inside).await
        };
        let picture = self.outside.live(0, look).unwrap();
        (did, picture)
    }
}

impl World {
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
            let act = async |inside: &Inside| {
                inside.begin_act(number);
                acts::act(inside, &mut made, &mut chance).await
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

/// A world and its twin.
fn compare(seed: u64, steps: u64, postgres: bool) {
    if std::env::var("SAY").is_ok() {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
    }
    let lived = std::panic::catch_unwind(|| {
        let (ground, calm_ground) = (Ground::new(postgres), Ground::new(postgres));
        let mut world = World::new(seed, &ground, true);
        let mut twin = World::new(seed, &calm_ground, false);
        for step in 0..steps {
            let (did, picture) = world.step();
            let (_, calm) = twin.step();
            if std::env::var("SAY").is_ok() {
                println!("{seed}/{step} at day {}: {did}", world.seconds / 86_400);
            }
            if picture != calm {
                came_apart(step, &did, &picture, &calm);
            }
        }
        println!(
            "seed {seed}: {} days, {} crashes, {} subscriptions",
            world.seconds / 86_400,
            world.crashes,
            world.made.subscriptions.len()
        );
    });
    if lived.is_err() {
        let database = if postgres { " DATABASE=postgres" } else { "" };
        panic!("to see it again: make simulate SEEDS={seed} STEPS={steps}{database}");
    }
}

/// Says where a world and its twin differ.
fn came_apart(step: u64, did: &str, world: &[String], twin: &[String]) {
    println!("step {step} ({did}): a world and its twin came apart");
    for (name, own, other) in [("world", world, twin), ("twin", twin, world)] {
        for line in own.iter().filter(|line| !other.contains(line)) {
            println!("only in the {name}: {line}");
        }
    }
    panic!("a world and its twin came apart");
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
        for seed in seeds("1-3") {
            compare(seed, steps(), false);
        }
    }
}

#[test]
fn a_world_with_crashes_ends_as_its_twin_on_postgres() {
    if wanted("postgres") && std::env::var("TEST_POSTGRES_URL").is_ok() {
        for seed in seeds("11") {
            compare(seed, steps(), true);
        }
    }
}
