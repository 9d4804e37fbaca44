//! What is left out, and what a change replaced. That every required field is there is checked
//! against the official SDK's types, in `end2end/sdk`.

use serde_json::{Value, json};

use super::{Wanted, fold, number, previous_attributes};

fn check_difference(before: &Value, after: &Value, want: &Value) {
    let got = previous_attributes(before, after).unwrap_or(Value::Null);
    assert_eq!(&got, want, "from {before} to {after}");
}

#[test]
fn previous_attributes_are_the_old_values_of_what_changed() {
    let same = json!({"a": 1, "b": {"c": [1]}});
    check_difference(&same, &same, &json!(null));
    check_difference(
        &json!({"a": 1, "b": 2}),
        &json!({"a": 3, "b": 2}),
        &json!({"a": 1}),
    );
    check_difference(&json!({"a": null}), &json!({"a": 3}), &json!({"a": null}));
    check_difference(
        &json!({"metadata": {"x": "1", "y": "2"}}),
        &json!({"metadata": {"x": "1", "z": "3"}}),
        &json!({"metadata": {"y": "2", "z": null}}),
    );
    check_difference(
        &json!({"a": {"b": 1}}),
        &json!({"a": null}),
        &json!({"a": {"b": 1}}),
    );
    check_difference(
        &json!({"items": {"object": "list", "data": [1], "url": "/u"}}),
        &json!({"items": {"object": "list", "data": [2], "url": "/u"}}),
        &json!({"items": {"object": "list", "data": [1], "url": "/u"}}),
    );
}

fn wanted(paths: &[&str]) -> Wanted {
    let mut wanted = Wanted::default();
    for path in paths {
        wanted.add(path.split('.'));
    }
    wanted
}

fn check_fold(value: &Value, paths: &[&str], want: &Value) {
    let mut got = value.clone();
    fold(&mut got, &wanted(paths));
    assert_eq!(&got, want, "with {paths:?}");
}

#[test]
fn what_is_not_wanted_is_folded() {
    let price = json!({"object": "price", "tiers": [1], "id": "price_1"});
    check_fold(&price, &[], &json!({"object": "price", "id": "price_1"}));
    check_fold(&price, &["tiers"], &price);
    let item = json!({"object": "subscription_item", "price": price.clone(),
        "discounts": [{"object": "discount", "id": "di_1"}]});
    check_fold(
        &item,
        &["price"],
        &json!({"object": "subscription_item", "discounts": ["di_1"],
            "price": {"object": "price", "id": "price_1"}}),
    );
    check_fold(&item, &["price.tiers", "discounts"], &item);
}

#[test]
fn percentages_are_written_digit_for_digit() {
    for text in ["0", "12.5", "8.875", "33.3333", "100", "0.0001"] {
        let decimal = perennial::decimal::Decimal12::parse(text);
        let shown = decimal.map(|d| number(d).to_string());
        assert_eq!(shown.as_deref(), Ok(text));
    }
}
