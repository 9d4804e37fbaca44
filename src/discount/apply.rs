//! Taking discounts off the lines of an invoice.

use super::{Discount, Off};
use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::decimal::Decimal12;
use crate::id::DiscountId;
use crate::invoice::{DiscountAmount, Line};
use crate::money::{MoneyError, allocate};
use crate::ratio::Ratio;

/// Takes discounts off `lines`: each line's own first (`item_discounts`, one list a line, in order),
/// then the invoice's, in order, each from what the ones before it left.
///
/// A percentage is rounded half up on each line. An amount is spread by what is left of each line,
/// rounded down, with the remainder on the last; it never takes more than is there. Lines that are
/// not discountable or not positive, products that a coupon does not cover, other currencies, and
/// discounts that are not running at `at` are left alone.
///
/// Answers with the discounts that took part, each once, in order of application. Those of duration
/// `once` among them are spent when the invoice is finalised.
///
/// # Errors
/// When an amount can't be computed; then `lines` may be half done, so work on a copy.
pub fn apply(
    lines: &mut [Line],
    item_discounts: &[&[Discount]],
    invoice_discounts: &[Discount],
    at: Timestamp,
    currency: Currency,
) -> Result<Vec<DiscountId>, MoneyError> {
    let mut used = Vec::new();
    let longest = item_discounts
        .iter()
        .map(|own| own.len())
        .max()
        .unwrap_or(0);
    for position in 0..longest {
        // Several lines may come from one item; its amount is spread over all of them.
        let mut done: Vec<&DiscountId> = Vec::new();
        for own in item_discounts {
            let Some(discount) = own.get(position) else {
                continue;
            };
            if done.contains(&&discount.id) {
                continue;
            }
            done.push(&discount.id);
            let theirs = |index: usize| {
                let list = item_discounts.get(index).copied().unwrap_or_default();
                list.get(position)
                    .is_some_and(|other| other.id == discount.id)
            };
            take(lines, theirs, discount, at, currency, &mut used)?;
        }
    }
    for discount in invoice_discounts {
        take(lines, |_| true, discount, at, currency, &mut used)?;
    }
    Ok(used)
}

/// Takes one discount off all lines that it covers.
fn take(
    lines: &mut [Line],
    concerns: impl Fn(usize) -> bool,
    discount: &Discount,
    at: Timestamp,
    currency: Currency,
    used: &mut Vec<DiscountId>,
) -> Result<(), MoneyError> {
    if !discount.active_at(at) || !discount.coupon.fits(currency) {
        return Ok(());
    }
    let mut left = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let covered =
            line.discountable && concerns(index) && discount.coupon.covers(line.product.as_ref());
        let rest = line.amount_minor.checked_sub(line.discount_minor());
        left.push(if covered {
            rest.ok_or(MoneyError::Overflow)?.max(0)
        } else {
            0
        });
    }
    if left.iter().all(|rest| *rest == 0) {
        return Ok(());
    }
    let taken = match discount.coupon.off {
        Off::Percent(percent) => shares_of(percent, &left)?,
        Off::Amount { .. } => {
            let amount_minor = discount.coupon.amount_off(currency);
            spread(amount_minor.unwrap_or(0), &left)?
        }
    };
    for (line, amount_minor) in lines.iter_mut().zip(taken) {
        if amount_minor > 0 {
            line.discount_amounts.push(DiscountAmount {
                discount: discount.id.clone(),
                amount_minor,
            });
        }
    }
    if !used.contains(&discount.id) {
        used.push(discount.id.clone());
    }
    Ok(())
}

/// `percent` of each, half up, at most all of it.
fn shares_of(percent: Decimal12, left: &[i64]) -> Result<Vec<i64>, MoneyError> {
    let share = percent.to_ratio().checked_mul(Ratio::new(1, 100)?)?;
    let mut taken = Vec::with_capacity(left.len());
    for rest in left {
        let exact = share.checked_mul(Ratio::from_integer(*rest))?;
        taken.push(exact.half_up()?.clamp(0, *rest));
    }
    Ok(taken)
}

/// Spreads `amount_minor`, or all that is there, by weight. The remainder of rounding goes to the
/// last line, and what does not fit there to the ones before it.
fn spread(amount_minor: i64, left: &[i64]) -> Result<Vec<i64>, MoneyError> {
    let whole: i128 = left.iter().map(|rest| i128::from(*rest)).sum();
    let capped = i128::from(amount_minor.max(0)).min(whole);
    let total = i64::try_from(capped).map_err(|_| MoneyError::Overflow)?;
    let mut taken = allocate(total, left)?;
    let mut surplus = 0_i64;
    for (share, rest) in taken.iter_mut().zip(left).rev() {
        let wanted = share.checked_add(surplus).ok_or(MoneyError::Overflow)?;
        *share = wanted.min(*rest);
        surplus = wanted - *share;
    }
    Ok(taken)
}
