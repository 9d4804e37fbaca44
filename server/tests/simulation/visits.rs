//! What customers do themselves, in the portal: the acts behind its forms.

use app::port::{CardInput, Portal, Settled, Wish};
use app::refusal::Refusal;
use app::viewer::Viewer;
use perennial::id::SubscriptionId;
use perennial::invoice::InvoiceStatus;
use server::service::portal::PortalService;
use server::service::portal_sessions::Opened;
use server::web::visit::viewer;

use crate::acts::{Made, id};
use crate::chance::Chance;
use crate::life::{Inside, half_done};

/// What customers may do there: everything.
pub async fn allow(inside: &Inside, products: &[(String, String)]) -> String {
    let mut form =
        "features[payment_method_update][enabled]=true&features[invoice_history][enabled]=true\
         &features[subscription_cancel][enabled]=true&features[subscription_pause][enabled]=true\
         &features[subscription_pause][duration][type]=interval_options\
         &features[subscription_pause][duration][interval_options][0][interval]=month\
         &features[subscription_update][enabled]=true\
         &features[subscription_update][default_allowed_updates][0]=price\
         &features[subscription_update][default_allowed_updates][1]=quantity\
         &features[subscription_update][proration_behavior]=always_invoice"
            .to_owned();
    for (place, (product, price)) in products.iter().enumerate() {
        let own = format!("&features[subscription_update][products][{place}]");
        form.push_str(&format!(
            "{own}[product]={product}{own}[prices][0]={price}\
             {own}[adjustable_quantity][enabled]=true{own}[adjustable_quantity][maximum]=20"
        ));
    }
    let path = "/v1/billing_portal/configurations";
    let (status, rules) = inside.call("POST", path, &form).await;
    assert_eq!(status, 200, "{rules}");
    id(&rules)
}

/// A customer comes in through a link and does something.
pub async fn visit(
    inside: &Inside,
    made: &Made,
    (customer, subscription): (&str, &str),
    own: &mut Chance,
) -> String {
    let (what, units) = (own.below(8), own.below(6) + 1);
    let form = format!("customer={customer}&configuration={}", made.rules);
    let secret = loop {
        let path = "/v1/billing_portal/sessions";
        let (status, session) = inside.call("POST", path, &form).await;
        // Made before a crash, but its link was never said: another one is asked for.
        if half_done(&session) {
            continue;
        }
        if status != 200 {
            return format!("no visit: {session}");
        }
        let url = session["url"].as_str().unwrap_or_default();
        let link = url.rsplit('/').next().unwrap_or_default();
        // Whoever went in before a crash comes again through a new link.
        if let Opened::Visit { secret, .. } = inside.engine.open_link(link).await.unwrap() {
            break secret;
        }
    };
    let Some(visit) = inside.engine.visit(&secret).await.unwrap() else {
        return "a visit that is over".to_owned();
    };
    let viewer = viewer(&visit);
    let portal = PortalService::new(inside.engine.clone(), None);
    let Ok(subscription) = SubscriptionId::parse(subscription) else {
        return "nothing to look at".to_owned();
    };
    let (name, done) = match what {
        0 | 1 => ("pays", pay(inside, &portal, &viewer).await),
        2 => ("adds a card", card(&portal, &viewer).await),
        3 => ("pauses", portal.pause(&viewer, &subscription, 0).await),
        4 => ("goes on", go_on(&portal, &viewer, &subscription).await),
        5 => (
            "takes seats",
            seats(&portal, &viewer, &subscription, units).await,
        ),
        6 => {
            let done = portal.cancel(&viewer, &subscription, None, None).await;
            ("cancels", done.map(drop))
        }
        _ => ("stays", portal.keep(&viewer, &subscription).await),
    };
    match done {
        Ok(()) => format!("visit: {name}"),
        Err(refusal) => {
            let broken = matches!(refusal, Refusal::SignedOut);
            assert!(!broken, "visit: {name}: {refusal:?}");
            format!("visit: {name}: {refusal:?}")
        }
    }
}

/// Pays what has been open longest.
async fn pay(inside: &Inside, portal: &PortalService, viewer: &Viewer) -> Result<(), Refusal> {
    let list = portal.invoices(viewer, None).await?;
    let mut open = Vec::new();
    for row in list.rows {
        if row.status == InvoiceStatus::Open {
            let path = format!("/v1/invoices/{}", row.id);
            let (_, invoice) = inside.call("GET", &path, "").await;
            // Which of those that were finalised at one moment is first differs between worlds.
            let until = invoice["period_end"].as_i64();
            open.push(((row.date, until, row.total.minor), row.id));
        }
    }
    open.sort();
    let Some((_, oldest)) = open.first() else {
        return Ok(());
    };
    portal.pay(viewer, oldest, None).await.map(drop)
}

async fn card(portal: &PortalService, viewer: &Viewer) -> Result<(), Refusal> {
    let card = CardInput {
        number: "4242 4242 4242 4242".to_owned(),
        expiry: "12/59".to_owned(),
        cvc: "123".to_owned(),
        name: "Somebody".to_owned(),
    };
    portal.add_card(viewer, card, true, None).await.map(drop)
}

async fn go_on(
    portal: &PortalService,
    viewer: &Viewer,
    id: &SubscriptionId,
) -> Result<(), Refusal> {
    let page = portal.resume_page(viewer, id, None).await?;
    let done: Settled = portal.resume(viewer, id, page.due.minor, None).await?;
    drop(done);
    Ok(())
}

async fn seats(
    portal: &PortalService,
    viewer: &Viewer,
    id: &SubscriptionId,
    units: u64,
) -> Result<(), Refusal> {
    let page = portal.change_page(viewer, id, None).await?;
    let items = &page.subscription.items;
    let Some(item) = items.iter().find(|item| !item.price.is_metered()) else {
        return Ok(());
    };
    let wish = Wish {
        item: Some(item.id.clone()),
        price: Some(item.price.id.clone()),
        quantity: units,
    };
    let quote = portal.quote(viewer, id, vec![wish], None).await?;
    portal.confirm(viewer, &quote.quote.id).await.map(drop)
}
