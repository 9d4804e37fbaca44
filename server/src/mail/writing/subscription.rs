//! The words of mails about a subscription: its trial, its renewals, and what becomes of it.

use perennial::calendar::Timestamp;
use perennial::money::Money;
use perennial::quote::Upcoming;
use perennial::subscription::{
    CancellationReason, CollectionMethod, MissingPaymentMethod, PauseBehavior, PauseCollection,
    PauseReason, Subscription,
};

use app::locale::Words;

use super::{Writer, held, mark};
use crate::mail::letter::{Letter, Sum, Tone};

impl Writer<'_> {
    pub(super) fn trial(
        &self,
        own: &Subscription,
        next: Option<&Upcoming>,
        payable: bool,
    ) -> Letter {
        let words = self.words;
        let items = held(words, own);
        let end = own.trial_end.map(|end| words.date(end)).unwrap_or_default();
        let then = match next.map(|next| cost(words, next)) {
            Some(Some(amount)) => words.letter_trial_then(&amount, &items),
            _ => words.letter_trial_then_usage(&items),
        };
        let missing = own.trial_missing_payment_method;
        let automatic = own.collection_method == CollectionMethod::ChargeAutomatically;
        let bills = payable || !automatic || missing == MissingPaymentMethod::CreateInvoice;
        let first = match missing {
            _ if bills => then,
            MissingPaymentMethod::Pause => words.letter_trial_no_card_pauses().to_owned(),
            _ => words.letter_trial_no_card_ends().to_owned(),
        };
        let subject = words.letter_trial_subject(&end, &items);
        let trial = mark(Tone::Careful, words.letter_mark_trial());
        let mut letter = self.letter(trial, subject, words.letter_trial_title(&end), first);
        let action = match payable || !automatic {
            true => words.letter_see_subscription(),
            false => words.attention_add_card(),
        };
        letter.action = Some(action.to_owned());
        if bills {
            let leave = words.letter_trial_leave().to_owned();
            letter.paragraphs.push(leave);
            if !payable && automatic {
                let missing = words.letter_trial_no_card().to_owned();
                letter.paragraphs.push(missing);
            }
            self.due(&mut letter, next);
        }
        letter
    }

    pub(super) fn renewal(&self, own: &Subscription, next: &Upcoming) -> Letter {
        let words = self.words;
        let (items, date) = (held(words, own), words.date(next.at));
        let text = match cost(words, next) {
            Some(amount) => words.letter_renewal_text(&amount, &items),
            None => words.letter_renewal_text_usage(&items),
        };
        let subject = words.letter_renewal_subject(&date, &items, self.merchant);
        let renewal = mark(Tone::Calm, words.letter_mark_renewal());
        let mut letter = self.letter(renewal, subject, words.letter_renewal_title(&date), text);
        let leave = words.letter_renewal_leave().to_owned();
        letter.paragraphs.push(leave);
        letter.action = Some(words.letter_see_subscription().to_owned());
        self.due(&mut letter, Some(next));
        letter
    }

    pub(super) fn changed(&self, own: &Subscription, next: Option<&Upcoming>) -> Letter {
        let words = self.words;
        let items = held(words, own);
        let mut letter = self.letter(
            mark(Tone::Calm, words.letter_mark_subscription()),
            words.letter_changed_subject(&items, self.merchant),
            words.letter_changed_title(),
            words.letter_changed_text(&items),
        );
        letter.action = Some(words.letter_see_subscription().to_owned());
        self.next_payment(&mut letter, next);
        self.unexpected(&mut letter);
        letter
    }

    pub(super) fn ending(&self, own: &Subscription, at: Timestamp) -> Letter {
        let words = self.words;
        let (items, date) = (held(words, own), words.date(at));
        let mut letter = self.letter(
            mark(Tone::Careful, words.letter_mark_subscription()),
            words.letter_ending_subject(&date, &items),
            words.letter_ending_title(&date),
            words.letter_ending_text(&items),
        );
        let mind = words.letter_ending_mind().to_owned();
        letter.paragraphs.push(mind);
        letter.action = Some(words.letter_keep().to_owned());
        letter.facts.push((words.letter_fact_ends(), date));
        self.unexpected(&mut letter);
        letter
    }

    pub(super) fn kept(&self, own: &Subscription, next: Option<&Upcoming>) -> Letter {
        let words = self.words;
        let items = held(words, own);
        let mut letter = self.letter(
            mark(Tone::Good, words.letter_mark_subscription()),
            words.letter_kept_subject(&items),
            words.letter_kept_title(),
            words.letter_kept_text(&items),
        );
        letter.action = Some(words.letter_see_subscription().to_owned());
        self.next_payment(&mut letter, next);
        self.unexpected(&mut letter);
        letter
    }

    pub(super) fn ended(&self, own: &Subscription) -> Letter {
        let words = self.words;
        let items = held(words, own);
        let at = own.ended_at.or(own.canceled_at);
        let date = at.map(|at| words.date(at)).unwrap_or_default();
        let reason = own.cancellation.as_ref().and_then(|why| why.reason);
        let text = match reason {
            Some(CancellationReason::PaymentFailed) => words.letter_ended_unpaid(&date, &items),
            _ => words.letter_ended_text(&date, &items),
        };
        let subject = words.letter_ended_subject(&items);
        let over = mark(Tone::Careful, words.letter_mark_subscription());
        let mut letter = self.letter(over, subject, words.letter_ended_title(), text);
        letter.action = Some(words.letter_see_invoices().to_owned());
        let back = words.letter_ended_back().to_owned();
        letter.closing.push(back);
        letter
    }

    pub(super) fn paused(&self, own: &Subscription) -> Letter {
        let words = self.words;
        let items = held(words, own);
        let resumes_at = own.paused.as_ref().and_then(|pause| pause.resumes_at);
        let mut letter = self.letter(
            mark(Tone::Calm, words.letter_mark_subscription()),
            words.letter_paused_subject(&items),
            words.letter_paused_title(),
            match resumes_at {
                Some(at) => words.letter_paused_until(&words.date(at), &items),
                None => words.letter_paused_text(&items),
            },
        );
        let reason = own.paused.as_ref().map(|pause| pause.reason);
        if let Some(at) = resumes_at {
            letter
                .facts
                .push((words.letter_fact_goes_on(), words.date(at)));
        }
        if reason == Some(PauseReason::TrialEndWithoutPaymentMethod) {
            let card = words.letter_paused_card().to_owned();
            letter.paragraphs.push(card);
            letter.action = Some(words.attention_add_card().to_owned());
        } else {
            letter.action = Some(words.letter_see_subscription().to_owned());
        }
        letter
    }

    pub(super) fn resumed(&self, own: &Subscription, next: Option<&Upcoming>) -> Letter {
        let words = self.words;
        let items = held(words, own);
        let mut letter = self.letter(
            mark(Tone::Good, words.letter_mark_subscription()),
            words.letter_resumed_subject(&items),
            words.letter_resumed_title(),
            words.letter_resumed_text(&items),
        );
        letter.action = Some(words.letter_see_subscription().to_owned());
        self.next_payment(&mut letter, next);
        letter
    }

    /// Payments rest while the subscription goes on.
    pub(super) fn rests(&self, own: &Subscription, pause: PauseCollection) -> Letter {
        let words = self.words;
        let items = held(words, own);
        let mut letter = self.letter(
            mark(Tone::Calm, words.letter_mark_subscription()),
            words.letter_rests_subject(&items),
            words.letter_rests_title(),
            match pause.resumes_at {
                Some(at) => words.letter_rests_until(&words.date(at), &items),
                None => words.letter_rests_text(&items),
            },
        );
        if pause.behavior == PauseBehavior::KeepAsDraft {
            let later = words.letter_rests_later().to_owned();
            letter.paragraphs.push(later);
        }
        if let Some(at) = pause.resumes_at {
            letter
                .facts
                .push((words.letter_fact_goes_on(), words.date(at)));
        }
        letter.action = Some(words.letter_see_subscription().to_owned());
        letter
    }

    /// Payments go on.
    pub(super) fn collects(&self, own: &Subscription, next: Option<&Upcoming>) -> Letter {
        let words = self.words;
        let items = held(words, own);
        let mut letter = self.letter(
            mark(Tone::Calm, words.letter_mark_subscription()),
            words.letter_collects_subject(&items),
            words.letter_collects_title(),
            words.letter_collects_text(&items),
        );
        letter.action = Some(words.letter_see_subscription().to_owned());
        self.next_payment(&mut letter, next);
        letter
    }

    /// The payment that the mail is about.
    fn due(&self, letter: &mut Letter, next: Option<&Upcoming>) {
        let words = self.words;
        let amount = next.and_then(|next| Some((cost(words, next)?, next.at)));
        letter.sum = amount.map(|(amount, at)| Sum {
            amount,
            note: Some(words.letter_sum_on(&words.date(at))),
        });
    }

    fn next_payment(&self, letter: &mut Letter, next: Option<&Upcoming>) {
        let words = self.words;
        let Some(next) = next else { return };
        let date = words.date(next.at);
        let label = words.letter_fact_next_payment();
        if let Some(amount) = cost(words, next) {
            let value = words.letter_next_payment(&amount, &date);
            letter.facts.push((label, value));
        }
    }

    /// What to do about a change that somebody else made.
    fn unexpected(&self, letter: &mut Letter) {
        if self.answerable {
            let text = self.words.letter_not_you().to_owned();
            letter.closing.push(text);
        }
    }
}

/// What a payment comes to; `None` for one that only usage decides.
fn cost(words: Words, next: &Upcoming) -> Option<String> {
    let amount = words.money(Money::new(next.due_minor(), next.invoice.currency));
    match (next.plus_usage, next.due_minor()) {
        (true, 0) => None,
        (true, _) => Some(words.format_join(&amount, words.home_plus_usage())),
        (false, _) => Some(amount),
    }
}
