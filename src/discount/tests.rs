//! Order, rounding and spreading of discounts.

use super::{Coupon, Discount, DiscountError, Duration, Off, apply, consume_once, validate_list};
use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::fixture::{coupon, day, discount, line, percent, usd};
use crate::id::ProductId;
use proptest::prelude::*;

/// Applies shared discounts and answers with what is left of each line.
fn left(amounts: &[i64], shared: &[Discount]) -> Vec<i64> {
    let mut lines: Vec<_> = amounts.iter().map(|amount| line("x", *amount)).collect();
    apply(&mut lines, &[], shared, Timestamp(0), Currency::USD).unwrap();
    lines
        .iter()
        .map(|line| line.amount_minor - line.discount_minor())
        .collect()
}

#[test]
fn amounts_and_percentages_are_taken_in_order() {
    let forever = |name, off| discount(name, off, Duration::Forever);
    let (p20, a500) = (forever("p20", percent("20")), forever("a500", usd(500)));
    let cases: Vec<(&[i64], Vec<Discount>, &[i64])> = vec![
        // Stripe: 5 off 10 and 20 is 1.66 and 3.34.
        (&[1_000, 2_000], vec![a500.clone()], &[834, 1_666]),
        (&[10_000], vec![forever("a200", usd(20_000))], &[0]),
        (&[30_000], vec![forever("a200", usd(20_000))], &[10_000]),
        (&[10_000], vec![forever("p50", percent("50"))], &[5_000]),
        (&[10_000], vec![p20.clone(), a500.clone()], &[7_500]),
        (&[10_000], vec![a500.clone(), p20.clone()], &[7_600]),
        (&[300_000], vec![forever("p10", percent("10"))], &[270_000]),
        // Half up on each line: 12.5 % of 4 is 0.5.
        (&[4, 4], vec![forever("p", percent("12.5"))], &[3, 3]),
        // The remainder of 2 over three lines of 1 does not fit on the last one alone.
        (&[1, 1, 1], vec![forever("a2", usd(2))], &[1, 0, 0]),
        (&[-1_000, 0, 1_000], vec![a500], &[-1_000, 0, 500]),
        (&[], vec![p20], &[]),
    ];
    for (amounts, shared, wanted) in cases {
        assert_eq!(left(amounts, &shared), wanted, "{amounts:?}");
    }
}

#[test]
fn an_items_own_discounts_come_first() {
    let own = [discount("own", usd(500), Duration::Forever)];
    let shared = [discount("half", percent("50"), Duration::Forever)];
    // Two lines of one item share its amount; the third has none of its own.
    let mut lines = [line("a", 1_000), line("a", 1_000), line("b", 1_000)];
    let lists: [&[Discount]; 3] = [&own, &own, &[]];
    let used = apply(&mut lines, &lists, &shared, Timestamp(0), Currency::USD).unwrap();
    let taken: Vec<Vec<i64>> = lines
        .iter()
        .map(|line| {
            line.discount_amounts
                .iter()
                .map(|part| part.amount_minor)
                .collect()
        })
        .collect();
    assert_eq!(taken, [vec![250, 375], vec![250, 375], vec![500]]);
    assert_eq!(used, [own[0].id.clone(), shared[0].id.clone()]);
}

#[test]
fn what_does_not_apply_takes_nothing_and_is_not_used() {
    let mut ended = discount("ended", percent("10"), Duration::Forever);
    ended.end = Some(Timestamp(0));
    let mut later = discount("later", percent("10"), Duration::Forever);
    later.start = Timestamp(1);
    let euros = Off::Amount {
        amount_minor: 100,
        currency: Currency::EUR,
    };
    let mut elsewhere = discount("elsewhere", percent("10"), Duration::Forever);
    elsewhere.coupon.applies_to = vec![ProductId::parse("prod_b").unwrap()];
    let shared = [
        ended,
        later,
        discount("euros", euros, Duration::Forever),
        elsewhere,
    ];
    let mut net = line("x", 1_000);
    net.discountable = false;
    let mut lines = [line("a", 1_000), net];
    let used = apply(&mut lines, &[], &shared, Timestamp(0), Currency::USD).unwrap();
    assert!(used.is_empty() && lines.iter().all(|line| line.discount_amounts.is_empty()));
}

#[test]
fn a_repeating_window_is_months_of_the_calendar() {
    let repeating = coupon("r", percent("10"), Duration::Repeating { months: 1 });
    let id = discount("r", percent("1"), Duration::Once).id;
    let given = Discount::new(id, repeating, None, day(2026, 1, 31)).unwrap();
    assert_eq!(given.end, Some(day(2026, 2, 28)));
    for (at, active) in [
        (day(2026, 1, 30), false),
        (day(2026, 1, 31), true),
        (Timestamp(day(2026, 2, 28).0 - 1), true),
        (day(2026, 2, 28), false),
    ] {
        assert_eq!(given.active_at(at), active, "{at:?}");
    }
}

#[test]
fn only_used_discounts_of_one_invoice_are_spent() {
    let (once, unused) = (
        discount("once", percent("10"), Duration::Once),
        discount("unused", percent("10"), Duration::Once),
    );
    let forever = discount("forever", percent("10"), Duration::Forever);
    let mut all = vec![once.clone(), unused.clone(), forever.clone()];
    consume_once(&mut all, &[once.id, forever.id.clone()]);
    assert_eq!(all, [unused, forever]);
}

#[test]
fn limits_are_named() {
    let with = |change: fn(&mut Coupon)| {
        let mut made = coupon("c", percent("10"), Duration::Once);
        change(&mut made);
        made
    };
    let cases: [(Coupon, Result<(), DiscountError>); 8] = [
        (with(|_| ()), Ok(())),
        (with(|c| c.off = percent("100")), Ok(())),
        (
            with(|c| c.off = percent("0")),
            Err(DiscountError::PercentOutOfRange),
        ),
        (
            with(|c| c.off = percent("100.1")),
            Err(DiscountError::PercentOutOfRange),
        ),
        (
            with(|c| c.off = usd(0)),
            Err(DiscountError::AmountNotPositive),
        ),
        (
            with(|c| c.duration = Duration::Repeating { months: 0 }),
            Err(DiscountError::MonthsOutOfRange),
        ),
        (
            with(|c| c.max_redemptions = Some(0)),
            Err(DiscountError::NoRedemptions),
        ),
        (
            with(|c| c.name = Some("x".repeat(41))),
            Err(DiscountError::NameTooLong),
        ),
    ];
    for (coupon, wanted) in cases {
        assert_eq!(coupon.validate(), wanted, "{coupon:?}");
    }
    let at = Timestamp(10);
    assert_eq!(
        with(|c| c.redeem_by = Some(Timestamp(10))).redeemable(at),
        Ok(())
    );
    let late = with(|c| c.redeem_by = Some(Timestamp(9)));
    assert_eq!(late.redeemable(at), Err(DiscountError::Expired));
    let full = with(|c| (c.max_redemptions, c.times_redeemed) = (Some(2), 2));
    assert_eq!(full.redeemable(at), Err(DiscountError::UsedUp));
    assert_eq!(
        with(|c| c.deleted = true).redeemable(at),
        Err(DiscountError::Deleted)
    );

    let one = discount("one", usd(1), Duration::Once);
    assert_eq!(
        validate_list(&[one.clone(), one.clone()], Currency::USD),
        Err(DiscountError::Duplicate)
    );
    assert_eq!(
        validate_list(&[one], Currency::EUR),
        Err(DiscountError::CurrencyMismatch)
    );
    let many: Vec<_> = (0..21)
        .map(|n| discount(&format!("n{n}"), usd(1), Duration::Once))
        .collect();
    assert_eq!(
        validate_list(&many, Currency::USD),
        Err(DiscountError::TooMany)
    );
    assert_eq!(validate_list(&many[1..], Currency::USD), Ok(()));
}

proptest! {
    #[test]
    fn an_amount_is_taken_whole_or_all_there_is(
        amounts in proptest::collection::vec(0_i64..1_000_000, 1..12),
        off in 1_i64..3_000_000,
    ) {
        let rest = left(&amounts, &[discount("a", usd(off), Duration::Forever)]);
        let (before, after): (i64, i64) = (amounts.iter().sum(), rest.iter().sum());
        prop_assert_eq!(before - after, off.min(before));
        for (rest, amount) in rest.iter().zip(&amounts) {
            prop_assert!((0..=*amount).contains(rest));
        }
    }

    #[test]
    fn no_line_falls_below_zero_and_nothing_panics(
        amounts in proptest::collection::vec(any::<i64>(), 0..6),
        hundredths in 1_i128..=10_000,
        off in 1_i64..,
        amount_first in any::<bool>(),
    ) {
        let share = crate::decimal::Decimal12::from_scaled(hundredths * 10_000_000_000).unwrap();
        let mut shared = vec![
            discount("p", Off::Percent(share), Duration::Forever),
            discount("a", usd(off), Duration::Forever),
        ];
        if amount_first {
            shared.reverse();
        }
        let mut lines: Vec<_> = amounts.iter().map(|amount| line("x", *amount)).collect();
        if apply(&mut lines, &[], &shared, Timestamp(0), Currency::USD).is_ok() {
            for line in &lines {
                prop_assert!(line.discount_minor() >= 0);
                prop_assert!(line.discount_minor() <= line.amount_minor.max(0));
            }
        }
    }
}
