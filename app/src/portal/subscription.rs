//! A subscription on the first page: what it is, what it costs and when, and what can be done with it.

use super::{act::ActForm, home::Acts, method::Method, say};
use crate::{
    locale::{Words, words},
    port::{
        CommitmentRow, ContractRow, EarlyBilling, ItemRow, SubscriptionCard, UnpaidRow, UsagePrice,
        UsageRow,
    },
    ui::{Amount, Badge, Button, ButtonKind, Card, Date, Fact, Facts, Figure, LinkButton},
};
use leptos::prelude::*;
use perennial::calendar::Timestamp;
use stylers_macro::style_sheet;

/// One subscription.
#[component]
pub fn SubscriptionPart(
    /// Which.
    subscription: SubscriptionCard,
    /// The moment that the page holds for.
    now: Timestamp,
    /// What can be done with it here.
    acts: Acts,
) -> impl IntoView {
    let words = words();
    let (tone, status) = say::subscription_status(words, &subscription, now);
    let ended = subscription.ended_at.is_some();
    let rhythm = subscription.cadence.map(|cadence| words.every(cadence));
    let name = say::items(words, &subscription.items);
    let several = subscription.items.len() > 1;
    view! {
        <Card>
            <article class=concat!("subscription ", style_sheet!("app/src/portal/subscription.css")) data-ended=ended.then_some("")>
                <div class="head">
                    <div class="what">
                        <h3>{name}</h3>
                        <Badge tone=tone>{status}</Badge>
                    </div>
                    {(!ended).then(|| view! {
                        <p class="price"><Amount money=subscription.recurring figure=Figure::Large nostrip:rhythm=rhythm /></p>
                    })}
                </div>
                {several.then(|| view! { <ItemList rows=subscription.items.clone() /> })}
                {(!ended).then(|| view! { <Terms subscription=subscription.clone() now=now /> })}
                <Choices subscription=subscription acts=acts />
            </article>
        </Card>
    }
}

/// What it is made of, where that is more than one thing.
#[component]
fn ItemList(rows: Vec<ItemRow>) -> impl IntoView {
    let words = words();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let rhythm = row.cadence.map(|cadence| words.every(cadence));
            let price = match row.amount {
                Some(amount) => view! { <Amount money=amount nostrip:rhythm=rhythm /> }.into_any(),
                None => view! { <span class="quiet">{words.home_by_usage()}</span> }.into_any(),
            };
            view! { <li><span>{say::item(words, &row)}</span>{price}</li> }
        })
        .collect();
    view! { <ul role="list" class="items">{rows}</ul> }
}

/// When it is paid next, with what, and what will change.
#[component]
fn Terms(subscription: SubscriptionCard, now: Timestamp) -> impl IntoView {
    let words = words();
    let next = subscription.next_payment.map(|next| {
        view! {
            <Fact name=words.home_next_payment()>
                <Amount money=next.amount />
                {next.plus_usage.then(|| view! { " "{words.home_plus_usage()} })}
                " · "
                <Date at=next.at now=now />
            </Fact>
        }
    });
    let method = subscription.payment_method.map(|saved| {
        view! { <Fact name=words.home_paid_with()><Method card=saved.method.card /></Fact> }
    });
    let discounts: Vec<_> = subscription
        .discounts
        .into_iter()
        .map(|discount| {
            let off = say::off(words, discount.off);
            let text = match discount.until {
                Some(until) => {
                    words.home_discount_until(&words.date_near(until, now), &discount.name, &off)
                }
                None => words.home_discount_off(&discount.name, &off),
            };
            view! { <Fact name=words.home_discount()>{text}</Fact> }
        })
        .collect();
    let planned = subscription.scheduled.map(|planned| {
        let (amount, rhythm) = (
            words.money(planned.recurring),
            say::rhythm(words, &planned.items),
        );
        let items = say::items(words, &planned.items);
        let text = match planned.at {
            Some(at) => {
                words.home_planned_text(&amount, &words.date_near(at, now), &items, &rhythm)
            }
            None => words.home_planned_after_pause(&amount, &items, &rhythm),
        };
        view! { <Fact name=words.home_planned()>{text}</Fact> }
    });
    let agreed = subscription
        .contract
        .map(|own| view! { <Agreed contract=own now=now /> });
    let unpaid = subscription
        .unpaid
        .map(|own| view! { <Unpaid change=own now=now /> });
    let usage: Vec<_> = subscription
        .usage
        .into_iter()
        .map(|row| view! { <Fact name=row.product_name.clone()><Used row=row now=now /></Fact> })
        .collect();
    let promised: Vec<_> = subscription
        .commitments
        .into_iter()
        .map(|row| view! { <Fact name=words.home_commitment()><Promised row=row now=now /></Fact> })
        .collect();
    let early: Vec<String> = subscription
        .bills_early
        .into_iter()
        .map(|mark| match mark {
            EarlyBilling::Amount(sum) => words.home_early_amount(&words.money(sum)),
            EarlyBilling::Units {
                product_name,
                units,
            } => words.home_early_units(&product_name, &words.integer(units)),
        })
        .collect();
    let early = (!early.is_empty())
        .then(|| view! { <Fact name=words.home_early()>{early.join("\n")}</Fact> });
    view! { <Facts>{unpaid}{next}{usage}{early}{promised}{method}{discounts}{planned}{agreed}</Facts> }
}

/// A change that is made once it is paid: what it is, until when, and the way to pay.
#[component]
fn Unpaid(change: UnpaidRow, now: Timestamp) -> impl IntoView {
    let words = words();
    let due = words.money(change.amount);
    let text = say::unpaid(words, &change, now);
    let href = format!("/portal/invoices/{}", change.invoice);
    view! {
        <Fact name=words.home_unpaid()>
            {text}" "<a href=href>{words.home_unpaid_pay(&due)}</a>
        </Fact>
    }
}

/// What was agreed for a time: the steps after the next one, its end, and what happens then.
#[component]
fn Agreed(contract: ContractRow, now: Timestamp) -> impl IntoView {
    let words = words();
    let until = words.date_near(contract.until, now);
    let end = match contract.ends {
        true => words.home_contract_ends(&until),
        false => words.home_contract_goes_on(&until),
    };
    let steps: Vec<_> = contract
        .steps
        .into_iter()
        .filter_map(|step| {
            let text = words.home_planned_text(
                &words.money(step.recurring),
                &words.date_near(step.at?, now),
                &say::items(words, &step.items),
                &say::rhythm(words, &step.items),
            );
            Some(view! { <Fact name=words.home_planned()>{text}</Fact> })
        })
        .collect();
    view! { {steps}<Fact name=words.home_contract()>{end}</Fact> }
}

/// What was promised to be spent at least, and how far that is. The words say all that the bar does, so it is silent.
#[component]
fn Promised(row: CommitmentRow, now: Timestamp) -> impl IntoView {
    let words = words();
    let until = words.date_near(row.until, now);
    let text = words.home_commitment_text(
        &words.money(row.committed),
        &words.money(row.counted),
        &until,
    );
    let then = if row.missing.minor > 0 {
        words.home_commitment_missing(&words.money(row.missing))
    } else {
        words.home_commitment_met().to_owned()
    };
    bar(text, then, row.counted.minor.max(0), row.committed.minor)
}

/// A sentence, how far that is, and what follows.
fn bar(text: String, then: String, value: i64, whole: i64) -> AnyView {
    view! {
        {text}
        <meter aria-hidden="true" min="0" max=whole.to_string() value=value.min(whole).to_string()></meter>
        <small>{then}</small>
    }
    .into_any()
}

/// What was used so far and what a unit costs by now; where units are included or a price step ends, how full that is as
/// a bar too. The words say all that the bar does, so it is silent.
#[component]
fn Used(row: UsageRow, now: Timestamp) -> impl IntoView {
    let words = words();
    let since = words.date_near(row.since, now);
    let used = words.decimal(&row.used.to_string());
    let whole = perennial::usage::whole_units(row.used);
    let text = match row.included {
        Some(included) => words.home_usage_included(&since, &words.integer(included), &used),
        None => words.home_usage_text(&since, &used),
    };
    let step = match row.price {
        UsagePrice::Tier { up_to, .. } => up_to,
        UsagePrice::Each(_) | UsagePrice::Package { .. } => None,
    };
    let bar = row.included.or(step).map(|full| {
        view! {
            <meter aria-hidden="true" min="0" max=full.to_string() value=whole.min(full).to_string()></meter>
        }
    });
    let price = unit_price(words, &row);
    view! { {text}" · "<Amount money=row.amount />{bar}<small>{price}</small> }
}

/// What a unit costs by now.
fn unit_price(words: Words, row: &UsageRow) -> String {
    let price = |minor| words.unit_price(minor, row.amount.currency);
    match row.price {
        UsagePrice::Each(each) => words.home_usage_each(&price(each)),
        UsagePrice::Package { amount, units } => {
            words.home_usage_package(&price(amount), &words.integer(units))
        }
        UsagePrice::Tier {
            each,
            up_to,
            of_all,
        } => {
            let each = price(each);
            match up_to.map(|last| words.integer(last)) {
                _ if of_all => words.home_usage_volume(&each),
                Some(last) => words.home_usage_tier(&last, &each),
                None => words.home_usage_last_tier(&each),
            }
        }
    }
}

/// What can be done with it. What takes away stands last.
#[component]
fn Choices(subscription: SubscriptionCard, acts: Acts) -> impl IntoView {
    let words = words();
    let (may, id) = (subscription.may, subscription.id);
    let path = format!("/portal/subscriptions/{id}");
    let any = may.keep || may.change || may.undo_change || may.cancel || may.pause || may.resume;
    let id = StoredValue::new(id.to_string());
    any.then(|| {
        view! {
            <div class="choices">
                {may.keep.then(|| view! {
                    <ActForm act=acts.keep>
                        <input r#type="hidden" name="subscription" value=id.get_value() />
                        <Button submit=true busy=acts.keep.pending()>{words.home_keep()}</Button>
                    </ActForm>
                })}
                {may.change.then(|| view! { <LinkButton href=format!("{path}/change")>{words.home_change()}</LinkButton> })}
                {may.undo_change.then(|| view! {
                    <ActForm act=acts.undo>
                        <input r#type="hidden" name="subscription" value=id.get_value() />
                        <Button submit=true busy=acts.undo.pending()>{words.home_undo()}</Button>
                    </ActForm>
                })}
                {may.resume.then(|| view! { <LinkButton href=format!("{path}/resume")>{words.home_resume()}</LinkButton> })}
                {may.pause.then(|| view! { <LinkButton href=format!("{path}/pause") kind=ButtonKind::Text>{words.home_pause()}</LinkButton> })}
                {may.cancel.then(|| view! { <LinkButton href=format!("{path}/cancel") kind=ButtonKind::Text>{words.home_cancel()}</LinkButton> })}
            </div>
        }
    })
}
