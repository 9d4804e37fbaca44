//! One life of the process: from opening the database to its end, which may be a crash.
//!
//! A crash is what the kernel does to a killed process: all that it was doing stops where it waits, and
//! nothing is said to anybody. Here each life has a runtime of its own, and a crash drops it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use perennial::calendar::Timestamp;
use serde_json::Value;
use server::api::{self, Api};
use server::clock::{Clock, Entropy, Ordered};
use server::service::Engine;
use server::store::Store;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::bank::Bank;

/// The most work that one sweep of the worker may find.
const SWEEP_MAX: u32 = 256;
/// Sweeps after which work that never ends is a failure.
const SWEEPS_MAX: usize = 2_000;

/// Burns down with everything that the process does, and ends its life when it is burnt.
#[derive(Clone, Default)]
pub struct Fuse(Arc<(AtomicI64, Notify)>);

impl Fuse {
    /// Ends the life after so many steps; never, if it is 0.
    pub fn set(&self, steps: i64) {
        let steps = if steps == 0 { i64::MAX } else { steps };
        self.0.0.store(steps, Ordering::SeqCst);
    }

    /// One step.
    pub fn burn(&self) {
        if self.0.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.1.notify_one();
        }
    }

    async fn burnt(&self) {
        loop {
            self.0.1.notified().await;
            // A life that was over with its last step left word that is not meant for this one.
            if self.0.0.load(Ordering::SeqCst) <= 0 {
                return;
            }
        }
    }
}

/// The time, which leaps. It burns the fuse: the engine looks at it all the time.
pub struct Sky {
    now: AtomicI64,
    fuse: Fuse,
}

impl Sky {
    pub fn new(now: Timestamp, fuse: Fuse) -> Arc<Self> {
        Arc::new(Self {
            now: AtomicI64::new(now.0),
            fuse,
        })
    }

    pub fn leap(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Sky {
    fn now(&self) -> Timestamp {
        self.fuse.burn();
        Timestamp(self.now.load(Ordering::SeqCst))
    }
}

/// The random part of ids, which grows too: what falls due at one moment is done in the same order in a
/// world and in its twin, although a crash wastes ids.
pub struct Growing {
    next: AtomicI64,
    seed: u64,
    fuse: Fuse,
}

impl Growing {
    pub fn new(seed: u64, fuse: Fuse) -> Arc<Self> {
        let next = AtomicI64::new(0);
        Arc::new(Self { next, seed, fuse })
    }
}

impl Entropy for Growing {
    fn bits(&self) -> u128 {
        self.fuse.burn();
        let number = self.next.fetch_add(1, Ordering::SeqCst).unsigned_abs();
        let spread = crate::chance::roll(self.seed, &number.to_string()) & 0xffff_ffff;
        (u128::from(spread) << 80) | (u128::from(number) << 32) | u128::from(spread)
    }
}

/// What is there before and after every life.
pub struct Outside {
    pub url: String,
    pub sky: Arc<Sky>,
    pub bank: Bank,
    pub fuse: Fuse,
    /// Goes on through all lives.
    pub entropy: Arc<Growing>,
    /// Mints ids in order, through all lives.
    pub ordered: Arc<Ordered>,
    /// The API key.
    pub key: String,
    /// How many processes live at once.
    pub processes: Processes,
}

/// How many processes work on a database at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    One,
    /// On Postgres with connections of their own; SQLite has one process, in which two engines take turns.
    Two,
}

/// The life ended in its midst.
#[derive(Debug)]
pub struct Crashed;

/// What is there during one life.
pub struct Inside {
    pub engine: Engine,
    /// The other process's.
    beside: Option<Engine>,
    router: axum::Router,
    key: String,
    /// What a merchant's program names its next request by, to send it again after a crash.
    said: Cell<Option<(u64, u32)>>,
}

impl Outside {
    /// Lives once, for `steps` steps at most (0: as long as it takes).
    pub fn live<T>(
        &mut self,
        steps: i64,
        work: impl AsyncFnOnce(&Inside) -> T,
    ) -> Result<T, Crashed> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let ended = runtime.block_on(async {
            let store = Store::open(&self.url).await.unwrap();
            let mut engine = Engine::new(
                store.clone(),
                Arc::new(self.bank.clone()),
                self.sky.clone(),
                self.entropy.clone(),
            );
            engine.ordered = Arc::clone(&self.ordered);
            let mut beside = None;
            if self.processes == Processes::Two {
                let own = match self.url.starts_with("sqlite:") {
                    true => store.clone(),
                    false => Store::open(&self.url).await.unwrap(),
                };
                let bank = Arc::new(self.bank.clone());
                let mut other = Engine::new(own, bank, self.sky.clone(), self.entropy.clone());
                other.ordered = Arc::clone(&self.ordered);
                beside = Some(other);
            }
            let others = beside.as_ref().map(|other| other.store.clone());
            let api = Api {
                engine: engine.clone(),
                public_url: "https://simulated.test".to_owned(),
            };
            let inside = Inside {
                engine,
                beside,
                router: api::router(api),
                key: self.key.clone(),
                said: Cell::new(None),
            };
            self.fuse.set(steps);
            let ended = tokio::select! {
                biased;
                () = self.fuse.burnt() => Err(Crashed),
                done = work(&inside) => Ok(done),
            };
            self.fuse.set(0);
            if ended.is_ok() {
                drop(inside);
                if let Some(others) = others {
                    others.close().await;
                }
                store.close().await;
            }
            ended
        });
        // Tasks that were spawned die here, where they wait.
        drop(runtime);
        ended
    }
}

impl Inside {
    /// Does what is due until nothing is.
    pub async fn settle(&self) {
        for _ in 0..SWEEPS_MAX {
            let asked = self.engine.settle_outstanding(SWEEP_MAX).await.unwrap();
            let out = self.still_out().await;
            let now = self.engine.now();
            let usage = self.engine.look_at_usage().await.unwrap();
            let (done, beside) =
                tokio::join!(self.engine.run_due(now, SWEEP_MAX), self.sweep_beside());
            let done = done.unwrap() + beside + usage.len();
            if done == 0 && (asked == 0 || !out) && !self.try_again().await {
                return;
            }
        }
        panic!("the work that is due never ends");
    }

    /// What the other process does meanwhile, if there is one. Answers with how much was due.
    pub async fn sweep_beside(&self) -> usize {
        match &self.beside {
            Some(other) => other.run_due(other.now(), SWEEP_MAX).await.unwrap(),
            None => 0,
        }
    }

    /// Whether the bank's answer to a claim is still unknown. A challenge that waits for the customer is
    /// none.
    async fn still_out(&self) -> bool {
        let mut connection = self.engine.store.read().await.unwrap();
        let sql = "select body from payment_intent where asked_at is not null \
                   union all select body from refund where asked_at is not null";
        let rows = sqlx::query(sql).fetch_all(&mut *connection).await.unwrap();
        rows.iter().any(|row| {
            let body: String = sqlx::Row::get(row, "body");
            body.contains("\"processing\"") || body.contains("\"status\":\"pending\"")
        })
    }

    /// Work that was set aside because the bank could not be heard is tried again at once: the clock of the
    /// world stands still. Answers whether there is any.
    async fn try_again(&self) -> bool {
        let mut tx = self.engine.store.begin().await.unwrap();
        let now = self.engine.now().0;
        let again = sqlx::query("update work_failure set next_at = $1 where next_at > $1")
            .bind(now)
            .execute(tx.connection())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        again.rows_affected() > 0
    }

    /// By what the bank knows a card.
    pub async fn token_of(&self, method: &str) -> String {
        let mut read = self.engine.store.read().await.unwrap();
        let row = sqlx::query("select body from payment_method where id = $1")
            .bind(method)
            .fetch_one(&mut *read)
            .await
            .unwrap();
        let body: Value = serde_json::from_str(&sqlx::Row::get::<String, _>(&row, "body")).unwrap();
        let token = body["gateway_token"].as_str();
        token.unwrap_or_default().to_owned()
    }

    /// From here on, requests are those of one act. Each has a key of its own, so that the act can be
    /// done again after a crash: what was done then is not done twice.
    pub fn begin_act(&self, number: u64) {
        self.said.set(Some((number, 0)));
    }

    /// A merchant's program waits until the server gives up requests that a crash cut off. The clock of
    /// the world stands still meanwhile.
    pub async fn wait_for_keys(&self) {
        let mut tx = self.engine.store.begin().await.unwrap();
        sqlx::query("update idempotency set created = created - 3600 where status is null")
            .execute(tx.connection())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Calls the API as a merchant's program.
    pub async fn call(&self, method: &str, path: &str, form: &str) -> (u16, Value) {
        let key = match (method, self.said.get()) {
            ("POST", Some((act, call))) => {
                self.said.set(Some((act, call + 1)));
                Some(format!("act-{act}-{call}"))
            }
            _ => None,
        };
        let (status, json) = self.send(method, path, form, key.as_deref()).await;
        match key.filter(|_| half_done(&json)) {
            Some(key) => self.made_by(path, &key).await.unwrap_or((status, json)),
            None => (status, json),
        }
    }

    /// What a request made that could not answer any more: events tell.
    async fn made_by(&self, path: &str, key: &str) -> Option<(u16, Value)> {
        let kind = match path {
            "/v1/customers" => "customer.created",
            "/v1/subscriptions" => "customer.subscription.created",
            "/v1/subscription_schedules" => "subscription_schedule.created",
            "/v1/invoices" => "invoice.created",
            "/v1/invoiceitems" => "invoiceitem.created",
            attach if attach.ends_with("/attach") => "payment_method.attached",
            _ => return None,
        };
        let path = format!("/v1/events?type={kind}&limit=100");
        let (_, found) = self.send("GET", &path, "", None).await;
        let events = found["data"].as_array()?;
        let own = events
            .iter()
            .find(|event| event["request"]["idempotency_key"] == key)?;
        Some((200, own["data"]["object"].clone()))
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        form: &str,
        idempotency_key: Option<&str>,
    ) -> (u16, Value) {
        let mut request = Request::builder();
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        assert!(
            status < 500 || status == 503,
            "{method} {path} {form}: {status} {json}"
        );
        (status, json)
    }

    /// Everything of a list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().and_then(|last| last["id"].as_str());
            let after = after.map_or(String::new(), |id| format!("&starting_after={id}"));
            let (status, page) = self
                .call("GET", &format!("{path}limit=100{after}"), "")
                .await;
            assert_eq!(status, 200, "{path}: {page}");
            let rows = page["data"].as_array().cloned().unwrap_or_default();
            all.extend(rows);
            if page["has_more"] != true {
                return all;
            }
        }
    }
}

/// Whether a request did something before a crash, and its answer is lost.
pub fn half_done(answer: &Value) -> bool {
    answer["error"]["message"]
        .as_str()
        .is_some_and(|message| message.contains("did something and stopped"))
}
