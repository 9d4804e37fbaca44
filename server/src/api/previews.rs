//! `POST /v1/invoices/create_preview`: the invoice that would follow, with what is supposed beside what is
//! there. Nothing is written.

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::customer::TaxExempt;
use perennial::id::{CustomerId, SubscriptionId, SubscriptionScheduleId};
use perennial::schedule::{EndBehavior, Schedule};
use perennial::subscription::{
    BillingMode, ITEMS_MAX, ProrationBehavior, ResumeTerms, Subscription,
};
use serde_json::Value;

use super::customers::{address, shipping, tax_id};
use super::exchange::{Call, Routes, post};
use super::invoice_lines::line;
use super::params::Params;
use super::payment_methods::customer_param;
use super::phases::{discounts, phase};
use super::portal_configurations::PRORATIONS;
use super::problem::Problem;
use super::subscription_life::pause_terms;
use super::subscription_schedules::{SENT_PHASES_MAX, end_behavior, under_phase};
use super::subscription_updates::{anchor_choice, end_at, terms};
use super::subscriptions::{billing_mode, new_item, set_end, tax_rates};
use crate::rendering::whole;
use crate::service::Refused;
use crate::service::choices::DiscountChoice;
use crate::service::customers::{CustomerUpdate, NewTaxId};
use crate::service::previews::PreviewRequest;
use crate::service::schedules::{NewPhase, NewSchedule, ScheduleUpdate};
use crate::service::subscriptions::{NewSubscription, Pause};
use crate::service::supposing::{SUPPOSED_MAX, Supposed, SupposedItem};
use crate::service::updates::SubscriptionUpdate;

/// The routes.
pub fn routes() -> Routes {
    Routes::new().route("/v1/invoices/create_preview", post("invoice", create))
}

/// What a preview is asked for.
struct Asked {
    customer: Option<CustomerId>,
    subscription: Option<SubscriptionId>,
    schedule: Option<SubscriptionScheduleId>,
    details: Option<Details>,
    phases: Option<Phases>,
    discounts: Option<Vec<DiscountChoice>>,
    supposed: Supposed,
}

/// `subscription_details`: as an update of a subscription, or as a new one.
enum Details {
    Update(Box<SubscriptionUpdate>),
    Pause(Pause),
    Resume(ResumeTerms),
    End(bool),
    New(Box<NewSubscription>, Option<Timestamp>),
}

/// `schedule_details`.
struct Phases {
    phases: Option<Vec<NewPhase>>,
    end_behavior: Option<EndBehavior>,
    proration_behavior: ProrationBehavior,
    billing_mode: Option<BillingMode>,
}

/// What would be done to a subscription that runs. A pause, its end or the end of all are previewed by
/// themselves: what else may be said with an update is refused by name.
fn of_running(params: &mut Params) -> Details {
    if params.boolean("cancel_now") == Some(true) {
        let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
        return Details::End(proration != Some(ProrationBehavior::None));
    }
    let resume: Option<String> = params.choice("resume_at", &["now"]);
    if resume.is_some() {
        let anchor = anchor_choice(params);
        let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
        return Details::Resume(ResumeTerms {
            keeps_anchor: anchor.as_deref() == Some("unchanged"),
            proration_behavior: proration.unwrap_or_default(),
        });
    }
    if !params.unset("pause")
        && let Some(pause) = params.object("pause", pause_terms)
    {
        return Details::Pause(pause);
    }
    // Labels change no amount, and an empty pause is none.
    params.metadata("metadata");
    Details::Update(Box::new(terms(params)))
}

/// `customer_details`: what of the customer is supposed to be different, or all of one who is not there.
fn payer(params: &mut Params) -> (CustomerUpdate, Vec<NewTaxId>) {
    let payer = CustomerUpdate {
        address: params.change_object("address", address),
        shipping: params.change_object("shipping", shipping),
        tax_exempt: match params.unset("tax_exempt") {
            true => Some(TaxExempt::None),
            false => params.choice("tax_exempt", &["none", "exempt", "reverse"]),
        },
        ..CustomerUpdate::default()
    };
    let most = perennial::customer::Customer::TAX_IDS_MAX;
    let tax_ids = params.objects("tax_ids", most, tax_id);
    (payer, tax_ids.unwrap_or_default())
}

/// One of `invoice_items`: a new amount, or one that waits as it would be changed.
fn item(params: &mut Params) -> SupposedItem {
    let item = params.id("invoiceitem", "invoiceitem");
    let currency: Option<Currency> = params.currency("currency");
    let whole = params.integer("unit_amount");
    let mut line = line(params);
    if let Some(whole) = whole {
        if line.says_amount() {
            let message = "You may only specify one of these parameters: amount, price, price_data, \
                           unit_amount, unit_amount_decimal.";
            params.refuse("unit_amount", message);
        }
        line.unit_amount = Some(perennial::decimal::Decimal12::from_integer(whole));
    }
    SupposedItem {
        item,
        currency,
        line,
    }
}

fn phases(params: &mut Params) -> Phases {
    let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
    let mode = params.object("billing_mode", |mode| {
        let kind: Option<BillingMode> = mode.choice("type", &["classic", "flexible"]);
        mode.required("type", kind)
    });
    Phases {
        phases: params.objects("phases", SENT_PHASES_MAX, phase),
        end_behavior: end_behavior(params),
        proration_behavior: proration.unwrap_or_default(),
        billing_mode: mode.flatten(),
    }
}

/// A subscription that would be new, and when it would start if that is to come: Stripe's `start_date`,
/// which may also lie in the past.
fn of_new(
    params: &mut Params,
    owner: CustomerId,
    now: Timestamp,
) -> Option<(NewSubscription, Option<Timestamp>)> {
    let items = params.objects("items", ITEMS_MAX, new_item);
    let items = params.required("items", items);
    let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
    let start = params.moment("start_date");
    let trial_end = match params.text_is("trial_end", "now") {
        true => None,
        false => params.moment("trial_end"),
    };
    let mode = billing_mode(params);
    let end = end_at(params);
    let ends = params.boolean("cancel_at_period_end");
    if ends == Some(true) && end.is_some() {
        let message = "Give either cancel_at or cancel_at_period_end.";
        params.refuse("cancel_at_period_end", message);
    }
    // Labels change no amount.
    params.metadata("metadata");
    let anchor = params.moment("billing_cycle_anchor");
    let rates = tax_rates(params, "default_tax_rates");
    let mut new = NewSubscription::new(owner, items?.into_iter().flatten().collect());
    new.proration_behavior = proration.unwrap_or_default();
    new.trial_end = trial_end;
    new.billing_cycle_anchor = anchor;
    new.billing_mode = mode.unwrap_or_default();
    new.backdate_start = start.filter(|at| *at <= now);
    set_end(&mut new, end, ends);
    new.default_tax_rates = rates.unwrap_or_default();
    Some((new, start.filter(|at| *at > now)))
}

fn asked(params: &mut Params, now: Timestamp) -> Asked {
    let mut customer: Option<CustomerId> = params.id("customer", "customer");
    let subscription: Option<SubscriptionId> = params.id("subscription", "subscription");
    let schedule: Option<SubscriptionScheduleId> = params.id("schedule", "subscription_schedule");
    let _: Option<String> = params.choice("preview_mode", &["next"]);
    let payer = params.object("customer_details", payer);
    let running = subscription.is_some() || schedule.is_some();
    if subscription.is_some() {
        for name in ["schedule", "schedule_details"] {
            if params.has(name) || (name == "schedule" && schedule.is_some()) {
                let message = format!("You may not specify `{name}` together with `subscription`.");
                params.refuse(name, message);
            }
        }
    }
    if params.has("subscription_details") && (schedule.is_some() || params.has("schedule_details"))
    {
        let message = "You may not specify `subscription_details` together with a schedule.";
        params.refuse("subscription_details", message);
    }
    let stranger = customer.is_none() && !running && payer.is_some();
    if stranger {
        customer = Some(CustomerId::from_random(0));
    }
    if customer.is_none() && !running {
        let _: Option<()> = params.required("customer", None);
    }
    let owner = customer.clone().filter(|_| !running);
    let details = params.object("subscription_details", |p| match owner {
        None => Some(of_running(p)),
        Some(owner) => {
            let (new, starts_at) = of_new(p, owner, now)?;
            Some(Details::New(Box::new(new), starts_at))
        }
    });
    let phases = params.object("schedule_details", |p| {
        let read = phases(p);
        if read.phases.is_none() && !running {
            let _: Option<()> = p.required("phases", None);
        }
        if schedule.is_some() && read.billing_mode.is_some() {
            p.refuse(
                "billing_mode",
                "The billing mode of a schedule can't be changed.",
            );
        }
        read
    });
    let items = params.objects("invoice_items", SUPPOSED_MAX, item);
    let (payer, tax_ids) = payer.map_or((None, Vec::new()), |(own, ids)| (Some(own), ids));
    let supposed = Supposed {
        payer,
        tax_ids,
        stranger,
        items: items.unwrap_or_default(),
        currency: params.currency("currency"),
    };
    Asked {
        customer,
        subscription,
        schedule,
        details: details.flatten(),
        phases,
        discounts: discounts(params),
        supposed,
    }
}

/// Makes sure that what is named is there, and belongs together.
async fn check(call: &Call, asked: &Asked) -> Result<(), Problem> {
    let engine = &call.api.engine;
    if let Some(customer) = asked.customer.as_ref().filter(|_| !asked.supposed.stranger) {
        let living = engine.living_customer(&call.scope, customer).await;
        living.map_err(|refused| customer_param(refused, "customer"))?;
    }
    let other = |own: &CustomerId| asked.customer.as_ref().is_some_and(|one| one != own);
    if let Some(id) = &asked.subscription {
        let param = "subscription";
        let found = engine
            .find_named::<Subscription>(&call.scope, id.as_str(), param)
            .await?;
        if other(&found.customer) {
            let param = Some(param.to_owned());
            return Err(Problem::no_such("subscription", id.as_str(), param));
        }
    }
    if let Some(id) = &asked.schedule {
        let param = "schedule";
        let found = engine
            .find_named::<Schedule>(&call.scope, id.as_str(), param)
            .await?;
        if other(&found.customer) {
            let param = Some(param.to_owned());
            return Err(Problem::no_such(
                "subscription_schedule",
                id.as_str(),
                param,
            ));
        }
    }
    Ok(())
}

/// What is previewed under a schedule that is there or would be; `None` where no schedule is named.
fn of_schedule(asked: &mut Asked, now: Timestamp) -> Option<PreviewRequest> {
    let phases = asked.phases.take();
    if let Some(id) = asked.schedule.clone() {
        let update = phases.map(|own| {
            Box::new(ScheduleUpdate {
                phases: own.phases,
                end_behavior: own.end_behavior,
                proration_behavior: own.proration_behavior,
                ..ScheduleUpdate::default()
            })
        });
        return Some(PreviewRequest::Schedule(id, update));
    }
    let (phases, customer) = (phases?, asked.customer.clone()?);
    let wanted = phases.phases.unwrap_or_default();
    let start = wanted.first().and_then(|first| first.start);
    Some(PreviewRequest::NewSchedule(Box::new(NewSchedule {
        customer,
        start: start.map(|moment| moment.at(now)),
        phases: wanted,
        end_behavior: phases.end_behavior.unwrap_or_default(),
        defaults: perennial::schedule::DefaultSettings::default(),
        billing_mode: phases.billing_mode.unwrap_or_default(),
        metadata: perennial::metadata::Metadata::default(),
    })))
}

fn request(asked: &mut Asked, now: Timestamp) -> Result<PreviewRequest, Problem> {
    if let Some(request) = of_schedule(asked, now) {
        if asked.discounts.is_some() {
            let message = "Discounts of a schedule are its phases'.";
            return Err(Problem::invalid(message).about("discounts"));
        }
        return Ok(request);
    }
    let by_itself = matches!(
        asked.details,
        Some(Details::Pause(_) | Details::Resume(_) | Details::End(_))
    );
    for (name, given) in [
        ("discounts", asked.discounts.is_some()),
        ("invoice_items", !asked.supposed.items.is_empty()),
        ("customer_details", asked.supposed.payer.is_some()),
    ] {
        if by_itself && given {
            let message = format!("`{name}` can't be previewed together with a pause or an end.");
            return Err(Problem::invalid(message).about(name));
        }
    }
    Ok(match (asked.subscription.clone(), asked.details.take()) {
        (Some(id), Some(Details::Update(mut update))) => {
            update.discounts = asked.discounts.take();
            PreviewRequest::Update(id, update)
        }
        (Some(id), Some(Details::Pause(pause))) => PreviewRequest::Pause(id, pause),
        (Some(id), Some(Details::Resume(terms))) => PreviewRequest::Resume(id, terms),
        (Some(id), Some(Details::End(prorate))) => PreviewRequest::End(id, prorate),
        (Some(id), _) => match asked.discounts.take() {
            None => PreviewRequest::Next(id),
            discounts => {
                let update = SubscriptionUpdate {
                    discounts,
                    ..SubscriptionUpdate::default()
                };
                PreviewRequest::Update(id, Box::new(update))
            }
        },
        (None, Some(Details::New(mut new, starts_at))) => {
            new.discounts = asked.discounts.take().unwrap_or_default();
            PreviewRequest::New(new, starts_at)
        }
        (None, _) => match (asked.customer.clone(), &asked.discounts) {
            (Some(customer), None) if !asked.supposed.items.is_empty() => {
                PreviewRequest::Waiting(customer)
            }
            _ => {
                let message = "Name a subscription or a schedule, or give \
                               subscription_details[items], schedule_details[phases] or invoice_items.";
                return Err(Problem::invalid(message).about("subscription"));
            }
        },
    })
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let now = call.now;
    let mut asked = call.read(|p| asked(p, now))?;
    check(&call, &asked).await?;
    let scheduled = asked.schedule.is_some() || asked.phases.is_some();
    let request = request(&mut asked, now)?;
    let engine = &call.api.engine;
    let preview = engine.preview_invoice(&call.scope, request, &asked.supposed);
    let preview = preview.await.map_err(|refused| match refused {
        none @ Refused::State {
            code: Some("invoice_upcoming_none"),
            ..
        } => Problem::from(none).status(axum::http::StatusCode::NOT_FOUND),
        other if scheduled => under(under_schedule(other.into()), "schedule_details"),
        other => under(other.into(), "subscription_details"),
    })?;
    Ok(whole::invoice(&preview, call.scope.livemode))
}

/// Parameters that stand by themselves in a preview.
const OUTSIDE: [&str; 8] = [
    "customer",
    "customer_details",
    "currency",
    "discounts",
    "invoice_items",
    "schedule",
    "subscription",
    "id",
];

fn outside(problem: &Problem) -> bool {
    let param = problem.param.as_deref().unwrap_or_default();
    OUTSIDE.iter().any(|own| {
        let rest = param.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
    })
}

/// What the subscription of the first phase refuses is a fault of that phase.
fn under_schedule(problem: Problem) -> Problem {
    const OWN: [&str; 2] = ["end_behavior", "billing_mode"];
    let param = problem.param.as_deref().unwrap_or_default();
    match outside(&problem) || OWN.contains(&param) {
        true => problem,
        false => under_phase(problem),
    }
}

/// Parameters of a subscription or schedule stand under their details in a preview.
fn under(mut problem: Problem, place: &str) -> Problem {
    if outside(&problem) {
        return problem;
    }
    if let Some(param) = &mut problem.param {
        let (first, rest) = match param.find('[') {
            Some(at) => param.split_at(at),
            None => (param.as_str(), ""),
        };
        *param = format!("{place}[{first}]{rest}");
    }
    problem
}
