//! States, numbers, balances and sums of invoices.

use super::{
    BillingReason, Draft, Invoice, InvoiceError, InvoiceEvent, InvoiceStatus, LINES_MAX, LineDraft,
    draft, minimum_charge_minor,
};
use crate::calendar::{Period, Timestamp};
use crate::credit::BalanceChangeKind;
use crate::currency::Currency;
use crate::customer::{Customer, TaxExempt};
use crate::discount::{Discount, Duration, Off};
use crate::fixture::{customer, discount, line, percent, rate, usd, waiting};
use crate::quote::Counter;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000);

fn lines(amounts: &[i64]) -> Vec<LineDraft> {
    let drafts = amounts.iter().map(|amount| LineDraft {
        line: line("x", *amount),
        discounts: Vec::new(),
    });
    drafts.collect()
}

fn input<'a>(customer: &'a Customer, lines: Vec<LineDraft>) -> Draft<'a> {
    Draft {
        customer,
        subscription: None,
        currency: Currency::USD,
        billing_reason: BillingReason::Manual,
        lines,
        pending: &[],
        period: Period {
            start: NOW,
            end: NOW,
        },
        at: NOW,
    }
}

fn drafted(customer: &Customer, amounts: &[i64]) -> Invoice {
    draft(input(customer, lines(amounts)), &mut Counter(0)).unwrap()
}

fn in_status(status: InvoiceStatus) -> (Invoice, Customer) {
    let mut owner = customer();
    let mut invoice = drafted(&owner, &[1_000]);
    if status != InvoiceStatus::Draft {
        invoice.finalize(&mut owner, NOW).unwrap();
    }
    match status {
        InvoiceStatus::Draft | InvoiceStatus::Open => {}
        InvoiceStatus::Paid => invoice.settle(1_000, NOW).unwrap(),
        InvoiceStatus::Uncollectible => invoice.mark_uncollectible(NOW).unwrap(),
        InvoiceStatus::Void => assert_eq!(invoice.void(&mut owner, NOW), Ok(None)),
    }
    assert_eq!(invoice.status, status);
    (invoice, owner)
}

#[test]
fn every_transition_is_known_and_every_other_refused() {
    use InvoiceEvent::{Finalize, MarkUncollectible, Pay, Void};
    use InvoiceStatus as S;
    let legal = [
        (S::Draft, Finalize, S::Open),
        (S::Open, Pay, S::Paid),
        (S::Open, MarkUncollectible, S::Uncollectible),
        (S::Open, Void, S::Void),
        (S::Uncollectible, Pay, S::Paid),
        (S::Uncollectible, Void, S::Void),
    ];
    for status in [S::Draft, S::Open, S::Paid, S::Uncollectible, S::Void] {
        for event in [Finalize, Pay, MarkUncollectible, Void] {
            let found = legal
                .iter()
                .find(|(from, by, _)| (*from, *by) == (status, event));
            let wanted = found
                .map(|(_, _, to)| *to)
                .ok_or(InvoiceError::Transition { status, event });
            assert_eq!(status.transition(event), wanted);

            let (before, owner) = in_status(status);
            let (mut invoice, mut payer) = (before.clone(), owner.clone());
            let done = match event {
                Finalize => invoice.finalize(&mut payer, NOW).map(|_| ()),
                Pay => invoice.settle(1_000, NOW),
                MarkUncollectible => invoice.mark_uncollectible(NOW),
                Void => invoice.void(&mut payer, NOW).map(|_| ()),
            };
            assert_eq!(
                done.map(|()| invoice.status),
                wanted,
                "{status:?} {event:?}"
            );
            if wanted.is_err() {
                assert_eq!(
                    (invoice, payer),
                    (before, owner),
                    "a refusal changes nothing"
                );
            }
        }
    }
}

#[test]
fn finalising_settles_with_the_balance() {
    // lines, balance -> status, due, balance after, changes
    let cases = [
        (vec![1_000], 0, InvoiceStatus::Open, 1_000, 0, 0),
        (vec![1_000], -300, InvoiceStatus::Open, 700, 0, 1),
        (vec![1_000], 300, InvoiceStatus::Open, 1_300, 0, 1),
        (vec![1_000], -1_000, InvoiceStatus::Paid, 0, 0, 1),
        (vec![1_000], -5_000, InvoiceStatus::Paid, 0, -4_000, 1),
        (vec![0], 0, InvoiceStatus::Paid, 0, 0, 0),
        (vec![-334, 300], 0, InvoiceStatus::Paid, 0, -34, 1),
        // Less than 0.50 USD can't be charged: it waits on the balance.
        (vec![49], 0, InvoiceStatus::Paid, 0, 49, 1),
        (vec![50], 0, InvoiceStatus::Open, 50, 0, 0),
        (vec![10], 49, InvoiceStatus::Open, 59, 0, 1),
        (vec![1_000], -960, InvoiceStatus::Paid, 0, 40, 2),
    ];
    for (amounts, balance, status, due, after, changes) in cases {
        let mut owner = customer();
        owner.balance_minor = balance;
        let mut invoice = drafted(&owner, &amounts);
        let made = invoice.finalize(&mut owner, NOW).unwrap();
        let told = (
            invoice.status,
            invoice.amount_due_minor,
            owner.balance_minor,
            made.len(),
        );
        assert_eq!(told, (status, due, after, changes), "{amounts:?} {balance}");
        assert_eq!(invoice.starting_balance_minor, balance);
        assert_eq!(invoice.ending_balance_minor, Some(after));
        assert_eq!(invoice.paid_at.is_some(), status == InvoiceStatus::Paid);
        let moved: i64 = made.iter().map(|change| change.amount_minor).sum();
        assert_eq!(balance + moved, after);
    }
}

#[test]
fn numbers_have_no_gaps_and_a_refusal_takes_none() {
    let mut owner = customer();
    for wanted in ["ADA-0001", "ADA-0002"] {
        let mut invoice = drafted(&owner, &[100]);
        assert_eq!(invoice.number, None);
        invoice.finalize(&mut owner, NOW).unwrap();
        assert_eq!(invoice.number.as_deref(), Some(wanted));
        assert!(invoice.finalize(&mut owner, NOW).is_err());
    }
    owner.balance_minor = i64::MIN;
    let mut invoice = drafted(&customer(), &[-1]);
    let before = (invoice.clone(), owner.clone());
    assert!(matches!(
        invoice.finalize(&mut owner, NOW),
        Err(InvoiceError::Money(_))
    ));
    assert_eq!((invoice, owner.clone()), before);
    owner.balance_minor = 0;
    owner.next_invoice_sequence = u32::MAX;
    let refused = drafted(&owner, &[100]).finalize(&mut owner, NOW);
    assert_eq!(refused, Err(InvoiceError::NumbersUsedUp));
    let mut stranger = customer();
    stranger.id = crate::id::CustomerId::parse("cus_other").unwrap();
    let refused = drafted(&owner, &[100]).finalize(&mut stranger, NOW);
    assert_eq!(refused, Err(InvoiceError::WrongCustomer));
}

#[test]
fn a_void_gives_back_what_was_taken_from_the_balance() {
    let mut owner = customer();
    owner.balance_minor = -300;
    let mut invoice = drafted(&owner, &[1_000]);
    invoice.finalize(&mut owner, NOW).unwrap();
    owner.balance_minor = -20;
    let change = invoice.void(&mut owner, NOW).unwrap().unwrap();
    assert_eq!(change.kind, BalanceChangeKind::UnappliedFromInvoice);
    assert_eq!((change.amount_minor, owner.balance_minor), (-300, -320));

    let (mut partly, mut owner) = in_status(InvoiceStatus::Open);
    partly.settle(400, NOW).unwrap();
    assert_eq!(
        (partly.status, partly.amount_remaining_minor()),
        (InvoiceStatus::Open, 600)
    );
    assert_eq!(partly.void(&mut owner, NOW), Err(InvoiceError::PartlyPaid));
    for wrong in [0, -1, 601, i64::MAX, i64::MIN] {
        assert_eq!(
            partly.settle(wrong, NOW),
            Err(InvoiceError::PaymentAmount),
            "{wrong}"
        );
    }
    partly.settle(600, NOW).unwrap();
    assert_eq!(
        (partly.status, partly.amount_paid_minor),
        (InvoiceStatus::Paid, 1_000)
    );
}

#[test]
fn totals_are_discounts_then_taxes() {
    let mut owner = customer();
    owner.discount = Some(discount("ten", percent("10"), Duration::Once));
    let mut drafts = lines(&[3_000]);
    drafts[0].line.tax_rates = vec![rate("gst", "5", false)];
    let mut invoice = draft(input(&owner, drafts), &mut Counter(0)).unwrap();
    let totals = invoice.totals;
    assert_eq!((totals.subtotal_minor, totals.discount_minor), (3_000, 300));
    assert_eq!(
        (totals.tax_exclusive_minor, totals.total_minor),
        (135, 2_835)
    );
    assert_eq!(totals.total_excluding_tax_minor(), 2_700);
    assert_eq!(invoice.discounts.len(), 1);
    invoice.finalize(&mut owner, NOW).unwrap();
    assert_eq!(owner.discount, None, "a once discount is spent");

    // 0.43 and 4.84 at 15 %: each line is rounded.
    let mut drafts = lines(&[43, 484]);
    for draft in &mut drafts {
        draft.line.tax_rates = vec![rate("vat", "15", false)];
    }
    let totals = draft(input(&customer(), drafts), &mut Counter(0))
        .unwrap()
        .totals;
    assert_eq!(
        (totals.subtotal_minor, totals.tax_exclusive_minor),
        (527, 79)
    );
    assert_eq!(totals.total_minor, 606);
}

#[test]
fn item_discounts_are_in_the_subtotal_and_others_are_not() {
    let mut drafts = lines(&[1_000, 1_000]);
    drafts[0].discounts = vec![discount("own", usd(200), Duration::Forever)];
    let mut owner = customer();
    owner.discount = Some(discount("all", percent("50"), Duration::Forever));
    let totals = draft(input(&owner, drafts), &mut Counter(0))
        .unwrap()
        .totals;
    assert_eq!(totals.subtotal_minor, 1_800);
    assert_eq!((totals.discount_minor, totals.total_minor), (1_100, 900));
}

#[test]
fn waiting_items_are_taken_up_once_and_as_far_as_there_is_room() {
    let owner = customer();
    let mut pending: Vec<_> = (0..300).map(|n| waiting(n, 1)).collect();
    pending[0].currency = Currency::EUR;
    pending[1].invoice = Some(crate::id::InvoiceId::from_random(1));
    pending[2].line.subscription = Some(crate::id::SubscriptionId::from_random(1));
    let whole = Draft {
        pending: &pending,
        ..input(&owner, lines(&[100]))
    };
    let invoice = draft(whole, &mut Counter(0)).unwrap();
    assert_eq!(invoice.lines.len(), LINES_MAX);
    assert_eq!(invoice.lines[1].invoice_item, Some(pending[3].id.clone()));
    assert_eq!(invoice.totals.total_minor, 100 + 249);
    let many = lines(&[1; LINES_MAX + 1]);
    assert_eq!(
        draft(input(&owner, many), &mut Counter(0)),
        Err(InvoiceError::TooManyLines)
    );
    let mut european = customer();
    european.currency = Some(Currency::EUR);
    let refused = draft(input(&european, lines(&[1])), &mut Counter(0));
    assert_eq!(refused, Err(InvoiceError::CurrencyMismatch));
}

#[test]
fn three_decimals_are_charged_in_tens_and_lose_nothing() {
    // currency, what invoices come to one after the other -> what each asks, the balance at the end
    for (currency, totals, dues, left) in [
        (
            Currency::KWD,
            &[5_124, 5_124, 5_124][..],
            &[5_120, 5_120, 5_130][..],
            2,
        ),
        (Currency::KWD, &[5_120, 10], &[5_120, 10], 0),
        (Currency::BHD, &[4, 4, 4], &[0, 0, 10], 2),
        (Currency::JPY, &[5_124], &[5_124], 0),
        (Currency::USD, &[5_124, 5_127], &[5_124, 5_127], 0),
    ] {
        let mut owner = customer();
        for (total, wanted) in totals.iter().zip(dues) {
            let mut wish = input(&owner, lines(&[*total]));
            wish.currency = currency;
            let mut invoice = draft(wish, &mut Counter(0)).unwrap();
            invoice.finalize(&mut owner, Timestamp(9)).unwrap();
            assert_eq!(invoice.totals.total_minor, *total, "{currency}");
            assert_eq!(invoice.amount_due_minor, *wanted, "{currency}");
        }
        assert_eq!(owner.balance_minor, left, "{currency}");
    }
}

#[test]
fn minimums_are_stripes() {
    for (currency, wanted) in [
        (Currency::USD, 50),
        (Currency::GBP, 30),
        (Currency::JPY, 50),
        (Currency::CZK, 1_500),
        (Currency::HUF, 17_500),
        (Currency::KWD, 0),
    ] {
        assert_eq!(minimum_charge_minor(currency), wanted, "{currency}");
    }
}

fn any_discount() -> impl Strategy<Value = Discount> {
    let off = prop_oneof![
        (1_i64..5_000).prop_map(usd),
        (1_i128..=100).prop_map(|p| {
            Off::Percent(crate::decimal::Decimal12::from_scaled(p * 1_000_000_000_000).unwrap())
        }),
    ];
    (off, any::<u32>()).prop_map(|(off, n)| discount(&format!("d{n}"), off, Duration::Forever))
}

proptest! {
    #[test]
    fn lines_sum_to_the_total(
        amounts in proptest::collection::vec(-1_000_000_i64..1_000_000, 0..12),
        own in proptest::option::of(any_discount()),
        all in proptest::option::of(any_discount()),
        rates in proptest::collection::vec((0_u32..400_000, any::<bool>()), 0..4),
        balance in -1_000_000_i64..1_000_000,
        exempt in any::<bool>(),
    ) {
        let mut drafts = lines(&amounts);
        for (index, draft) in drafts.iter_mut().enumerate() {
            draft.line.discountable = draft.line.amount_minor > 0;
            draft.discounts = own.iter().filter(|_| index == 0).cloned().collect();
            draft.line.tax_rates = rates
                .iter()
                .map(|(p, inside)| rate("r", &format!("{}.{:04}", p / 10_000, p % 10_000), *inside))
                .collect();
        }
        let mut owner = customer();
        owner.balance_minor = balance;
        owner.discount = all;
        owner.tax_exempt = if exempt { TaxExempt::Reverse } else { TaxExempt::None };
        let mut invoice = draft(input(&owner, drafts), &mut Counter(0)).unwrap();
        let sum: i64 = invoice
            .lines
            .iter()
            .map(|line| {
                let top = line.taxes.iter().filter(|tax| !tax.inclusive);
                let taxes: i64 = top.map(|tax| tax.amount_minor).sum();
                line.amount_minor - line.discount_minor() + taxes
            })
            .sum();
        prop_assert_eq!(sum, invoice.totals.total_minor);
        invoice.finalize(&mut owner, NOW).unwrap();
        // What is due and what moved on the balance make up the total.
        let moved = invoice.ending_balance_minor.unwrap() - balance;
        prop_assert_eq!(invoice.amount_due_minor + moved, sum);
        prop_assert!(invoice.amount_due_minor == 0 || invoice.amount_due_minor >= 50);
    }

    #[test]
    fn nothing_panics(amounts in proptest::collection::vec(any::<i64>(), 0..4), balance in any::<i64>()) {
        let mut owner = customer();
        owner.balance_minor = balance;
        let mut drafts = lines(&amounts);
        for draft in &mut drafts {
            draft.line.tax_rates = vec![rate("r", "100", false)];
        }
        if let Ok(mut invoice) = draft(input(&owner, drafts), &mut Counter(0))
            && invoice.finalize(&mut owner, NOW).is_ok()
        {
            let _ = invoice.settle(invoice.amount_due_minor, NOW);
            let _ = invoice.void(&mut owner, NOW);
        }
    }
}
