//! Every pair and triple of what can happen to a subscription, in any order: each leaves it in a sane
//! state. What is sane stands in one function, [`Life::check`].

use crate::calendar::Timestamp;
use crate::customer::Customer;
use crate::fixture::{customer, day, price, simple, yearly};
use crate::id::{InvoiceItemId, SubscriptionItemId};
use crate::invoice::{Invoice, InvoiceItem, Line, LineKind};
use crate::portal::ScheduleCondition;
use crate::quote::{Applied, ChangeContext, Counter, apply, fit_to_end, give_trial, restart};
use crate::subscription::{
    Anchor, BillingMode, CancelNow, Cancellation, Creation, Due, Event, ItemChange, ItemExtras,
    MissingPaymentMethod, NewItem, PauseBehavior, PauseCollection, PauseTerms, ProrationBehavior,
    ResumeTerms, Status, Subscription, SubscriptionError, UnusedTimeFrom,
};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Dearer,
    Cheaper,
    CheaperLater,
    SeatsUp,
    SeatsDown,
    AddOn,
    RemoveAddOn,
    ToYears,
    Pause,
    PauseOnInvoice,
    PauseForNothing,
    PauseUntil,
    Resume,
    ResumeUnchanged,
    EndWithPeriod,
    EndSoon,
    EndLater,
    Keep,
    EndNow,
    GiveTrial,
    EndTrial,
    Restart,
    StopCollecting,
    Collect,
    FailToPay,
    Pay,
}

use Act::{
    AddOn, Cheaper, CheaperLater, Collect, Dearer, EndLater, EndNow, EndSoon, EndTrial,
    EndWithPeriod, FailToPay, GiveTrial, Keep, Pause, PauseForNothing, PauseOnInvoice, PauseUntil,
    Pay, RemoveAddOn, Restart, Resume, ResumeUnchanged, SeatsDown, SeatsUp, StopCollecting,
    ToYears,
};

const ACTS: [Act; 26] = [
    Dearer,
    Cheaper,
    CheaperLater,
    SeatsUp,
    SeatsDown,
    AddOn,
    RemoveAddOn,
    ToYears,
    Pause,
    PauseOnInvoice,
    PauseForNothing,
    PauseUntil,
    Resume,
    ResumeUnchanged,
    EndWithPeriod,
    EndSoon,
    EndLater,
    Keep,
    EndNow,
    GiveTrial,
    EndTrial,
    Restart,
    StopCollecting,
    Collect,
    FailToPay,
    Pay,
];

/// Ways to begin.
fn beginnings() -> Vec<(&'static str, Creation)> {
    let at = day(2026, 1, 31);
    let plain = || simple(price("m1", 1_000), 2, at);
    let mut trial = plain();
    trial.trial_end = Some(day(2026, 2, 14));
    let mut trial_without_means = trial.clone();
    trial_without_means.trial_missing_payment_method = MissingPaymentMethod::Pause;
    let mut anchored = plain();
    anchored.anchor = Anchor::At(day(2026, 2, 10));
    let mut mixed = plain();
    mixed.items.push(NewItem::new(yearly("y1", 9_000), 1));
    let mut ending = plain();
    ending.cancel_at = Some(day(2026, 3, 15));
    let mut backdated = plain();
    backdated.backdate_start = Some(day(2025, 12, 20));
    let mut classic = plain();
    classic.billing_mode = BillingMode::Classic;
    vec![
        ("plain", plain()),
        ("trial", trial),
        ("trial without means", trial_without_means),
        ("anchored", anchored),
        ("mixed", mixed),
        ("ending", ending),
        ("backdated", backdated),
        ("classic", classic),
    ]
}

/// How it stood for a while.
#[derive(Clone, Debug)]
struct Span {
    from: Timestamp,
    to: Timestamp,
    status: Status,
    items: Vec<SubscriptionItemId>,
    /// Paid time runs on, because the merchant gave nothing back.
    runs_on: bool,
}

struct Life {
    own: Subscription,
    payer: Customer,
    pending: Vec<InvoiceItem>,
    lines: Vec<Line>,
    spans: Vec<Span>,
    now: Timestamp,
    ids: Counter,
    runs_on: bool,
}

impl Life {
    fn begin(creation: Creation) -> Self {
        let (payer, mut ids) = (customer(), Counter(0));
        let now = creation.at;
        let created = Subscription::create(creation, &payer, &[], &mut ids).unwrap();
        let mut life = Self {
            own: created.subscription,
            payer,
            pending: Vec::new(),
            lines: Vec::new(),
            spans: Vec::new(),
            now,
            ids,
            runs_on: false,
        };
        life.issue(created.invoice, &[]);
        if life.own.status == Status::Incomplete {
            life.own.status = Status::Active;
        }
        if life.own.start_date < now {
            life.spans.push(Span {
                from: life.own.start_date,
                ..life.span(now)
            });
        }
        life
    }

    fn span(&self, to: Timestamp) -> Span {
        Span {
            from: self.now,
            to,
            status: self.own.status,
            items: self.own.items.iter().map(|item| item.id.clone()).collect(),
            runs_on: self.runs_on,
        }
    }

    fn issue(&mut self, invoice: Option<Invoice>, taken: &[InvoiceItemId]) {
        self.pending.retain(|item| !taken.contains(&item.id));
        let Some(mut invoice) = invoice else { return };
        let sum: i64 = invoice.lines.iter().map(net).sum();
        assert_eq!(invoice.totals.total_minor, sum, "the lines make the total");
        let fresh = invoice.lines.iter();
        self.lines
            .extend(fresh.filter(|l| l.invoice_item.is_none()).cloned());
        invoice.finalize(&mut self.payer, self.now).unwrap();
        self.own.spend_discounts(&invoice);
    }

    fn wait(&mut self, pending: Vec<InvoiceItem>) {
        self.lines
            .extend(pending.iter().map(|item| item.line.clone()));
        self.pending.extend(pending);
    }

    fn take(&mut self, made: Applied) {
        self.own = made.subscription;
        self.issue(made.invoice, &made.taken);
        self.wait(made.pending);
    }

    /// Lets time pass until `to`, doing what falls due on the way.
    fn pass(&mut self, to: Timestamp) {
        for _ in 0..500 {
            let due = self.own.next_due().filter(|(at, _)| *at <= to);
            let Some((at, due)) = due else { break };
            assert!(at >= self.now, "{due:?} was due in the past");
            if at > self.now {
                self.spans.push(self.span(at));
                self.now = at;
            }
            let unpayable = self.own.status == Status::Trialing
                && due == Due::Renewal
                && self.own.trial_missing_payment_method == MissingPaymentMethod::Pause;
            if unpayable {
                self.own.end_trial_unpayable(at).unwrap();
                continue;
            }
            let (payer, pending) = (&self.payer, &self.pending);
            let ids = &mut self.ids;
            let done = match due {
                Due::Renewal => self.own.renew(payer, pending, &[], at, ids).unwrap(),
                Due::End => self.own.finish(payer, pending, &[], at, ids).unwrap(),
                Due::Resume => {
                    let terms = ResumeTerms::default();
                    let resumed = self.own.resume(payer, pending, terms, at, ids);
                    let (renewed, left) = resumed.unwrap();
                    self.wait(left);
                    renewed
                }
                Due::ResumeCollection => {
                    self.own.resume_collection();
                    continue;
                }
                Due::FirstPaymentExpiry
                | Due::ResumptionExpiry
                | Due::Phase
                | Due::PendingItems
                | Due::PendingUpdateExpiry => panic!("{due:?}"),
            };
            self.issue(done.invoice, &done.taken);
        }
        if to > self.now {
            self.spans.push(self.span(to));
            self.now = to;
        }
        let due = self.own.next_due_at();
        assert!(
            due.is_none_or(|at| at > self.now),
            "all that was due is done"
        );
    }

    fn set(&self, name: &str, minor: i64, quantity: Option<u64>) -> Vec<ItemChange> {
        let item = &self.own.items[0];
        let same = item.price.id == price(name, minor).id;
        vec![ItemChange::Set {
            item: item.id.clone(),
            price: (!same).then(|| price(name, minor)),
            quantity,
        }]
    }

    fn wishes(&mut self, act: Act) -> Result<Vec<ItemChange>, SubscriptionError> {
        let seats = self.own.items[0].quantity;
        Ok(match act {
            Dearer => self.set("m2", 1_999, Some(seats)),
            Cheaper | CheaperLater => self.set("m0", 333, Some(seats)),
            SeatsUp | SeatsDown => vec![ItemChange::Set {
                item: self.own.items[0].id.clone(),
                price: None,
                quantity: Some(if act == SeatsUp { seats + 3 } else { 1 }),
            }],
            AddOn => vec![ItemChange::Add {
                id: SubscriptionItemId::new(&mut self.ids),
                price: price("extra", 777),
                quantity: 1,
                tax_rates: Vec::new(),
                with: ItemExtras::default(),
            }],
            RemoveAddOn => {
                let item = self.own.item_of(&price("extra", 777).id);
                let item = item.ok_or(SubscriptionError::NoItems)?.id.clone();
                vec![ItemChange::Remove { item }]
            }
            _ => vec![ItemChange::Set {
                item: self.own.items[0].id.clone(),
                price: Some(yearly("y2", 20_000)),
                quantity: Some(seats),
            }],
        })
    }

    /// Does one thing, or is refused it and stays as it was.
    fn act(&mut self, act: Act, behavior: ProrationBehavior) -> Result<(), SubscriptionError> {
        let at = self.now;
        let mut next = self.own.clone();
        let soon = |days| at.add_days(days).unwrap();
        match act {
            Dearer | Cheaper | CheaperLater | SeatsUp | SeatsDown | AddOn | RemoveAddOn
            | ToYears => {
                let wishes = self.wishes(act)?;
                let mut ids = self.ids;
                let context = self.context();
                let waits: &[ScheduleCondition] = match act {
                    CheaperLater => &[ScheduleCondition::DecreasingItemAmount],
                    _ => &[],
                };
                let made = apply(&context, &wishes, behavior, waits, at, &mut ids)?;
                self.ids = ids;
                self.take(made);
            }
            Restart | GiveTrial => {
                let mut ids = self.ids;
                let context = self.context();
                let made = match act {
                    Restart => restart(&context, &[], behavior, at, &mut ids)?,
                    _ => give_trial(&context, soon(10), behavior, at, &mut ids)?,
                };
                self.ids = ids;
                self.take(made);
            }
            Pause | PauseOnInvoice | PauseForNothing | PauseUntil => {
                let terms = PauseTerms {
                    unused_time_from: match act {
                        PauseForNothing => UnusedTimeFrom::None,
                        _ => UnusedTimeFrom::Now,
                    },
                    invoice_now: act == PauseOnInvoice,
                    resumes_at: (act == PauseUntil).then(|| soon(15)),
                    ..PauseTerms::default()
                };
                let stopped = next.pause(&self.payer, &self.pending, &terms, at, &mut self.ids)?;
                self.own = next;
                self.runs_on = act == PauseForNothing;
                self.issue(stopped.invoice, &stopped.taken);
                self.wait(stopped.pending);
            }
            Resume | ResumeUnchanged => {
                let terms = ResumeTerms {
                    keeps_anchor: act == ResumeUnchanged,
                    proration_behavior: behavior,
                };
                let (renewed, left) =
                    next.resume(&self.payer, &self.pending, terms, at, &mut self.ids)?;
                self.own = next;
                self.issue(renewed.invoice, &renewed.taken);
                self.wait(left);
            }
            EndWithPeriod | EndSoon | EndLater | Keep => {
                let why = Cancellation::default();
                match act {
                    EndWithPeriod => next.cancel_at_period_end(why, at).map(|_| ())?,
                    Keep => next.keep()?,
                    EndSoon => next.end_at(soon(5), why, at)?,
                    _ => next.end_at(soon(45), why, at)?,
                }
                let before = core::mem::replace(&mut self.own, next);
                if self.own.is_unfit(at)? {
                    let mut ids = self.ids;
                    let context = self.context();
                    match fit_to_end(&context, &[], behavior, at, &mut ids) {
                        Ok(made) => {
                            self.ids = ids;
                            self.take(made);
                        }
                        Err(error) => {
                            self.own = before;
                            return Err(error);
                        }
                    }
                }
            }
            EndNow => {
                let how = CancelNow {
                    prorate: true,
                    ..CancelNow::default()
                };
                let done = next.cancel_now(&self.payer, &self.pending, &how, at, &mut self.ids)?;
                self.own = next;
                self.issue(done.invoice, &done.taken);
                self.wait(done.pending);
            }
            EndTrial => {
                next.end_trial(at)?;
                self.own = next;
                self.pass(at);
            }
            StopCollecting => {
                if next.status.is_final() {
                    return Err(SubscriptionError::Status(next.status));
                }
                next.pause_collection = Some(PauseCollection {
                    behavior: PauseBehavior::Void,
                    resumes_at: Some(soon(12)),
                });
                self.own = next;
            }
            Collect => {
                next.resume_collection();
                self.own = next;
            }
            FailToPay | Pay => {
                let event = if act == Pay {
                    Event::Paid
                } else {
                    Event::RenewalFailed
                };
                next.status = next.status.transition(event)?;
                self.own = next;
            }
        }
        Ok(())
    }

    fn context(&self) -> ChangeContext<'_> {
        ChangeContext {
            subscription: &self.own,
            customer: &self.payer,
            pending: &self.pending,
        }
    }

    /// What holds in every sane state.
    fn check(&self) {
        let (own, now) = (&self.own, self.now);
        assert_eq!(own.status == Status::Paused, own.paused.is_some());
        assert_eq!(own.status.is_final(), own.ended_at.is_some());
        if own.status.is_final() {
            assert_eq!(own.next_due(), None);
            assert!(own.ended_at <= Some(now), "it ended already");
        } else {
            assert!(own.cancel_at.is_none_or(|end| end > now));
            assert_eq!(own.cancel_at.is_some(), own.canceled_at.is_some());
        }
        if own.status == Status::Trialing {
            assert!(own.trial_end > Some(now));
        }
        if own.status != Status::Paused && !own.status.is_final() {
            let waits = own.scheduled_change.as_ref();
            assert!(waits.is_none_or(|change| change.at > now), "late");
        }
        if own.status.is_billing() {
            for item in &own.items {
                assert!(item.current_period.contains(now), "a period is running");
                assert!(
                    own.cancel_at
                        .is_none_or(|end| item.current_period.end <= end)
                );
            }
        }
        let net: i64 = self.lines.iter().map(net).sum();
        assert!(net >= 0, "more was given back than billed");
        self.check_time();
    }

    /// Every moment of every item is billed once while it bills, and not at all otherwise.
    fn check_time(&self) {
        let own = self.lines.iter();
        let mut items: Vec<&SubscriptionItemId> = own
            .filter_map(|line| line.subscription_item.as_ref())
            .collect();
        items.sort_unstable();
        items.dedup();
        for item in items {
            let lines = || {
                let own = self.lines.iter();
                own.filter(move |line| line.subscription_item.as_ref() == Some(item))
            };
            let mut marks: Vec<i64> = lines()
                .flat_map(|line| [line.period.start.0, line.period.end.0])
                .chain(self.spans.iter().flat_map(|span| [span.from.0, span.to.0]))
                .collect();
            marks.sort_unstable();
            marks.dedup();
            for pair in marks.windows(2) {
                let middle = Timestamp(i64::midpoint(pair[0], pair[1]));
                let billed: i64 = lines().map(|line| weight(line, middle)).sum();
                let end = self.own.ended_at;
                let span = self
                    .spans
                    .iter()
                    .find(|span| span.from <= middle && middle < span.to);
                let allowed = match span {
                    Some(span) if span.runs_on => 0..=1,
                    Some(span) if span.status.is_billing() && span.items.contains(item) => 1..=1,
                    Some(_) => 0..=0,
                    None if self.runs_on => 0..=1,
                    None if end.is_some_and(|end| end <= middle) => 0..=0,
                    // What is ahead is billed in advance, at most once.
                    None => 0..=1,
                };
                assert!(
                    allowed.contains(&billed),
                    "{item} is billed {billed} times around {middle:?}, which is {span:?}"
                );
            }
        }
    }
}

fn net(line: &Line) -> i64 {
    line.amount_minor - line.discount_minor()
}

/// How often a line bills a moment.
fn weight(line: &Line, at: Timestamp) -> i64 {
    match line.kind {
        LineKind::Recurring | LineKind::RemainingTime if line.period.contains(at) => 1,
        LineKind::UnusedTime if line.period.contains(at) => -1,
        _ => 0,
    }
}

fn live(beginning: &Creation, acts: &[Act], behavior: ProrationBehavior) {
    let mut life = Life::begin(beginning.clone());
    life.check();
    for act in acts {
        let later = life.now.add_seconds(7 * 86_400 + 12_345).unwrap();
        life.pass(later);
        life.check();
        let before = life.own.clone();
        if life.act(*act, behavior).is_err() {
            assert_eq!(
                life.own, before,
                "{act:?} was refused and changed something"
            );
        }
        life.pass(life.now);
        life.check();
    }
    let end = life.now.add_days(100).unwrap();
    life.pass(end);
    life.check();
}

/// Lives it, and says which one it was if it goes wrong.
fn tried(name: &str, beginning: &Creation, acts: &[Act], behavior: ProrationBehavior) {
    let lived = std::panic::catch_unwind(|| live(beginning, acts, behavior));
    assert!(lived.is_ok(), "{name}, {behavior:?}: {acts:?}");
}

const BEHAVIORS: [ProrationBehavior; 2] = [
    ProrationBehavior::CreateProrations,
    ProrationBehavior::AlwaysInvoice,
];

#[test]
fn every_pair_leaves_a_sane_state() {
    for (name, beginning) in beginnings() {
        for first in ACTS {
            for second in ACTS {
                for behavior in BEHAVIORS {
                    tried(name, &beginning, &[first, second], behavior);
                }
            }
        }
    }
}

#[test]
fn every_triple_leaves_a_sane_state() {
    let beginnings = beginnings();
    let mut count = 0;
    for first in ACTS {
        for second in ACTS {
            for third in ACTS {
                let (name, beginning) = &beginnings[count % beginnings.len()];
                let behavior = BEHAVIORS[(count / beginnings.len()) % BEHAVIORS.len()];
                tried(name, beginning, &[first, second, third], behavior);
                count += 1;
            }
        }
    }
}
