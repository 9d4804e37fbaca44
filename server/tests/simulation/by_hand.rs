//! What a merchant writes by hand: one-off invoices, and items for the next one.

use crate::acts::{id, said};
use crate::chance::Chance;
use crate::life::Inside;

/// Something is billed beside subscriptions.
pub async fn write(
    inside: &Inside,
    customer: &str,
    subscription: &str,
    own: &mut Chance,
) -> String {
    let (what, amount) = (own.below(5), own.between(-300, 4_000));
    let sent = own.below(3) == 0;
    let mut form = format!("customer={customer}&amount={amount}&currency=usd&description=By hand");
    if what == 0 {
        form.push_str(&format!("&subscription={subscription}"));
    }
    let item = inside.call("POST", "/v1/invoiceitems", &form).await;
    if what < 2 || item.0 != 200 {
        return said("item", item);
    }
    let way = match sent {
        true => "collection_method=send_invoice&days_until_due=14",
        false => "collection_method=charge_automatically",
    };
    let form = format!(
        "customer={customer}&currency=usd&pending_invoice_items_behavior=include&auto_advance={}&{way}",
        what < 4
    );
    let made = inside.call("POST", "/v1/invoices", &form).await;
    if made.0 != 200 || what < 3 {
        return said("invoice", made);
    }
    let path = format!("/v1/invoices/{}/finalize", id(&made.1));
    said("invoice at once", inside.call("POST", &path, "").await)
}

/// A second card may be charged when the first is declined, or no longer.
pub async fn back_up(inside: &Inside, customer: &str, own: &mut Chance) -> String {
    let path = format!("/v1/customers/{customer}");
    if own.below(4) == 0 {
        let form = "invoice_settings[backup_payment_methods]=";
        return said("no backup", inside.call("POST", &path, form).await);
    }
    let attach = "/v1/payment_methods/pm_card_mastercard/attach";
    let (status, method) = inside
        .call("POST", attach, &format!("customer={customer}"))
        .await;
    if status != 200 {
        return said("backup", (status, method));
    }
    let form = format!(
        "invoice_settings[backup_payment_methods][0]={}",
        id(&method)
    );
    said("backup", inside.call("POST", &path, &form).await)
}
