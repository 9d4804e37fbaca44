//! The choice itself: rhythm, plan, quantity, and what they come to.

use super::{
    QuoteChange,
    choice::{Choice, code, plans, rhythms},
    code::{Code, gives},
    terms::{TermsSummary, Why},
};
use crate::{
    locale::words,
    port::{ChangePage, Plan},
    portal::{
        act::{Act, ActForm},
        outcome::Outcome,
    },
    ui::{
        Amount, Button, ButtonKind, Disclosure, Page, PageHeader, RadioRow, RadioRows, Segment,
        Segments, Stepper, Summary,
    },
};
use leptos::prelude::*;
use perennial::{
    calendar::Cadence, catalog::TaxBehavior, customer::TaxExempt, money::Money, subscription::Item,
};
use std::sync::Arc;
use stylers_macro::style_sheet;

/// What is on offer and what is chosen of it.
#[derive(Clone)]
pub(super) struct Offer {
    pub(super) page: Arc<ChangePage>,
    pub(super) base: Arc<Item>,
    plan: RwSignal<String>,
    every: RwSignal<Cadence>,
    quantity: RwSignal<u64>,
}

impl Offer {
    /// The choice as it stands.
    pub(super) fn chosen(&self) -> Choice {
        let mut choice = Choice {
            plan: self.plan.get(),
            every: self.every.get(),
            quantity: self.quantity.get(),
        };
        choice.quantity = choice.within_bounds(&self.page, &self.base);
        choice
    }

    fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.page.subscription.currency)
    }
}

/// The form of the choice.
#[component]
pub fn Plans(
    page: ChangePage,
    base: Item,
    first: Choice,
    /// Whether it takes its own place, because a code was tried.
    again: bool,
) -> impl IntoView {
    let words = words();
    let offer = Offer {
        plan: RwSignal::new(first.plan),
        every: RwSignal::new(first.every),
        quantity: RwSignal::new(first.quantity),
        page: Arc::new(page),
        base: Arc::new(base),
    };
    let quoting = Act::of::<QuoteChange>();
    let path = format!(
        "/portal/subscriptions/{}/change",
        offer.page.subscription.id
    );
    let hidden = [
        ("subscription", offer.page.subscription.id.to_string()),
        ("item", offer.base.id.to_string()),
    ];
    let hidden: Vec<_> = hidden
        .into_iter()
        .map(|(name, value)| view! { <input r#type="hidden" name=name value=value /> })
        .collect();
    let lead = now(&offer);
    view! {
        <Page>
            <PageHeader title=words.home_change() lead=lead above=("/portal".to_owned(), words.shell_home().to_owned()) />
            <Outcome refusal=quoting.refusal() />
            <ActForm act=quoting class=concat!("change ", style_sheet!("app/src/portal/change/plans.css"))>
                {hidden}
                <Rhythms offer=offer.clone() />
                <PlanRows offer=offer.clone() />
                <Units offer=offer.clone() />
                <button class="recompute without-scripts" formmethod="get" formaction=path.clone()>{words.change_show()}</button>
                <Code offer=offer.clone() path=path refusal=quoting.refusal() again=again />
                <Come offer=offer busy=quoting.pending() />
            </ActForm>
        </Page>
    }
}

/// What the item is now, in one sentence.
fn now(offer: &Offer) -> String {
    let words = words();
    let item = &offer.base;
    let name = match item.quantity {
        0 | 1 => item.price.product_name.clone(),
        units => words.home_items(&item.price.product_name, &words.integer(units)),
    };
    let amount = item
        .price
        .pricing
        .amount_minor(item.quantity)
        .ok()
        .filter(|_| !item.price.is_metered());
    match (amount, item.price.cadence()) {
        (Some(amount), Some(every)) => words.change_now(
            &words.money(offer.money(amount)),
            &name,
            &words.every(every),
        ),
        _ => name,
    }
}

/// How often, where there is more than one rhythm, and what the longer one saves.
#[component]
fn Rhythms(offer: Offer) -> impl IntoView {
    let words = words();
    let found = rhythms(&offer.page);
    let several = found.len() > 1;
    let chosen = offer.every.get_untracked();
    let sides: Vec<_> = found
        .iter()
        .copied()
        .map(|every| {
            let offer = offer.clone();
            let saving = move || {
                let saving = offer.chosen().yearly_saving_minor(&offer.page).filter(|_| every == Cadence::YEARLY)?;
                let text = words.change_saves(&words.money(offer.money(saving)));
                Some(view! { <small>{text}</small> })
            };
            view! { <Segment name="every" value=code(every) checked=every == chosen>{words.rhythm(every)}{saving}</Segment> }
        })
        .collect();
    let choose = move |event| {
        let code_chosen = event_target_value(&event);
        if let Some(every) = found.iter().find(|every| code(**every) == code_chosen) {
            offer.every.set(*every);
        }
    };
    several.then(
        || view! { <Segments legend=words.change_how_often() on:change=choose>{sides}</Segments> },
    )
}

/// The plans, a row each.
#[component]
fn PlanRows(offer: Offer) -> impl IntoView {
    let words = words();
    let rows: Vec<_> = plans(&offer.page)
        .cloned()
        .map(|plan| row(&offer, plan))
        .collect();
    let plan = offer.plan;
    let before_tax = taxed_on_top(&offer);
    view! {
        <RadioRows legend=words.change_plan() on:change=move |event| plan.set(event_target_value(&event))>
            {rows}
        </RadioRows>
        {before_tax.then(|| view! { <p class="before-tax">{words.change_before_tax()}</p> })}
    }
}

/// Whether tax comes on top of the prices in the rows, so that the sum below is more than they say.
fn taxed_on_top(offer: &Offer) -> bool {
    let rates = match offer.base.tax_rates.as_slice() {
        [] => &offer.page.subscription.default_tax_rates,
        own => own,
    };
    let exclusive = match offer.base.price.tax_behavior {
        TaxBehavior::Inclusive => false,
        TaxBehavior::Exclusive => !rates.is_empty(),
        TaxBehavior::Unspecified => rates.iter().any(|rate| !rate.inclusive),
    };
    exclusive && offer.page.customer.tax_exempt == TaxExempt::None
}

fn row(offer: &Offer, plan: Plan) -> impl IntoView + use<> {
    let words = words();
    let id = plan.product.id.to_string();
    let current = plan.product.id == offer.base.price.product;
    let checked = offer.plan.get_untracked() == id;
    let detail = plan.product.description.clone();
    let detail = if current {
        Some(detail.map_or_else(
            || words.change_current().to_owned(),
            |detail| words.format_join(words.change_current(), &detail),
        ))
    } else {
        detail
    };
    // What this row would come to: its plan with the rhythm and the quantity that are chosen.
    let here = {
        let (offer, id) = (offer.clone(), id.clone());
        move || {
            let mut choice = Choice {
                plan: id.clone(),
                ..offer.chosen()
            };
            choice.quantity = choice.within_bounds(&offer.page, &offer.base);
            choice
        }
    };
    let page = offer.page.clone();
    let offered = {
        let (here, page) = (here.clone(), page.clone());
        Memo::new(move |_| here().price(&page).is_some())
    };
    let currency = offer.page.subscription.currency;
    let price = move || {
        let choice = here();
        match (choice.price(&page), choice.amount_minor(&page)) {
            (None, _) => view! { <span class="quiet">{words.change_not_offered()}</span> }.into_any(),
            (Some(_), None) => view! { <span class="quiet">{words.home_by_usage()}</span> }.into_any(),
            (Some(_), Some(minor)) => {
                view! { <Amount money=Money::new(minor, currency) rhythm=words.every(choice.every) /> }.into_any()
            }
        }
    };
    view! {
        <RadioRow name="plan" value=id checked=checked disabled=Signal::derive(move || !offered.get()) title=plan.product.name nostrip:detail=detail>
            {price}
        </RadioRow>
    }
}

/// The quantity, where it may be chosen.
#[component]
fn Units(offer: Offer) -> impl IntoView {
    let words = words();
    let quantity = offer.quantity;
    let bounds = {
        let offer = offer.clone();
        Memo::new(move |_| offer.chosen().bounds(&offer.page))
    };
    let each = move |plan: &str| {
        let unit = plans(&offer.page)
            .find(|known| known.product.id.as_str() == plan)?
            .product
            .unit_label
            .clone();
        unit.map(|unit| words.change_per_unit(&unit))
    };
    let plan = offer.plan;
    move || {
        bounds.get().map(|(least, most)| {
            let hint = most.map(|most| words.change_bounds(&words.integer(least), &words.integer(most)));
            let hint = match (each(&plan.get_untracked()), hint) {
                (Some(each), Some(bounds)) => Some(words.format_join(&each, &bounds)),
                (each, bounds) => each.or(bounds),
            };
            view! { <Stepper name="quantity" label=words.change_quantity() nostrip:hint=hint value=quantity minimum=least nostrip:maximum=most /> }
        })
    }
}

/// What the choice comes to, and the way on.
#[component]
fn Come(
    offer: Offer,
    /// Whether the binding quote is being made.
    #[prop(into)]
    busy: Signal<bool>,
) -> impl IntoView {
    let words = words();
    let preview = {
        let offer = offer.clone();
        Memo::new(move |_| offer.chosen().preview(&offer.page, &offer.base))
    };
    let offered = {
        let offer = offer.clone();
        Memo::new(move |_| offer.chosen().price(&offer.page).is_some())
    };
    let given = {
        let offer = offer.clone();
        Memo::new(move |_| {
            let given = offer.chosen().given(&offer.page, &offer.base).cloned();
            given.map(|discount| gives(words, &discount))
        })
    };
    // A code that could be given, but not with this choice: the words beside it say what to do.
    let amiss = {
        let offer = offer.clone();
        Memo::new(move |_| {
            let entered = offer.page.code.as_ref();
            entered.is_some_and(|entered| entered.gives.is_ok()) && given.get().is_none()
        })
    };
    let every = offer.every;
    let page = offer.page;
    let content = move || match preview.get() {
        None if !offered.get() => {
            view! { <p class="quiet">{words.change_not_offered_detail()}</p> }.into_any()
        }
        None => view! { <p class="quiet">{words.change_same()}</p> }.into_any(),
        Some(Err(_)) => view! { <p class="quiet">{words.change_impossible()}</p> }.into_any(),
        Some(Ok(terms)) => {
            let why = (!terms.lines.is_empty()).then(|| {
                let (terms, subscription) = (terms.clone(), page.subscription.clone());
                view! { <Disclosure summary=words.change_why()><Why terms=terms subscription=subscription /></Disclosure> }
            });
            view! { <TermsSummary terms=terms every=every.get_untracked() now=page.now nostrip:gift=given.get_untracked() />{why} }
                .into_any()
        }
    };
    let ready = move || !amiss.get() && preview.with(|preview| matches!(preview, Some(Ok(_))));
    view! {
        <Summary sticky=true>
            {content}
            <div class="acts">
                {move || ready().then(|| view! { <Button kind=ButtonKind::Primary submit=true busy=busy>{words.change_review()}</Button> })}
            </div>
        </Summary>
    }
}
