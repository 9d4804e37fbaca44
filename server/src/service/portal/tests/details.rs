//! Details, tax ids, mail, language.

use app::port::{DetailsInput, Portal};
use app::refusal::{Field, Refusal, Rule};
use perennial::customer::MailPreferences;
use perennial::portal::CustomerField;

use super::house::{House, all_features};
use crate::store::tests::both;

fn filled() -> DetailsInput {
    DetailsInput {
        name: " Ada Lovelace ".to_owned(),
        email: "ada@example.com".to_owned(),
        phone: "+44 20 7946 0000".to_owned(),
        line1: "12 St James’s Square".to_owned(),
        line2: String::new(),
        city: "London".to_owned(),
        state: String::new(),
        postal_code: "SW1Y 4LB".to_owned(),
        country: "gb".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn details_are_kept_in_normal_form() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let (portal, viewer) = house.enter(&customer).await;
        let saved = portal.save_details(&viewer, filled()).await.unwrap();
        assert_eq!(saved.name.as_deref(), Some("Ada Lovelace"));
        let address = saved.address.clone().unwrap();
        assert_eq!(address.country.as_deref(), Some("GB"));
        assert_eq!(address.line2, None);
        let mut input = filled();
        input.postal_code = "sw1y4lb".to_owned();
        let again = portal.save_details(&viewer, input).await.unwrap();
        assert_eq!(again, saved, "the code is written as its country writes it");
        assert_eq!(portal.details(&viewer).await.unwrap(), saved);
        let events = house.world.events().await;
        let updates = |events: &[String]| {
            events
                .iter()
                .filter(|kind| *kind == "customer.updated")
                .count()
        };
        let before = updates(&events);
        portal.save_details(&viewer, filled()).await.unwrap();
        assert_eq!(
            updates(&house.world.events().await),
            before,
            "nothing changed, nothing told"
        );
        // Many who pay need no more than a country for their taxes.
        let only = DetailsInput {
            line1: String::new(),
            city: String::new(),
            postal_code: String::new(),
            ..filled()
        };
        let saved = portal.save_details(&viewer, only).await.unwrap();
        let address = saved.address.unwrap();
        assert_eq!(
            (address.country.as_deref(), address.line1),
            (Some("GB"), None)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_name_their_fields() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let (portal, viewer) = house.enter(&customer).await;
        portal.save_details(&viewer, filled()).await.unwrap();
        type Spoil = fn(&mut DetailsInput);
        let cases: [(Spoil, Field, Rule); 14] = [
            (
                |d| d.name = "x".repeat(257),
                Field::Name,
                Rule::TooLong(256),
            ),
            (
                |d| d.name = "Ada\nLovelace".to_owned(),
                Field::Name,
                Rule::Malformed,
            ),
            (|d| d.email.clear(), Field::Email, Rule::Required),
            (
                |d| d.email = "ada".to_owned(),
                Field::Email,
                Rule::Malformed,
            ),
            (
                |d| d.email = "ada@localhost".to_owned(),
                Field::Email,
                Rule::Malformed,
            ),
            (
                |d| d.email = "a b@example.com".to_owned(),
                Field::Email,
                Rule::Malformed,
            ),
            (
                |d| d.phone = "call me".to_owned(),
                Field::Phone,
                Rule::Malformed,
            ),
            (|d| d.country.clear(), Field::Country, Rule::Required),
            (
                |d| d.country = "XX".to_owned(),
                Field::Country,
                Rule::Unknown,
            ),
            (|d| d.postal_code.clear(), Field::PostalCode, Rule::Required),
            (|d| d.line1.clear(), Field::Line1, Rule::Required),
            (|d| d.city.clear(), Field::City, Rule::Required),
            (
                |d| d.postal_code = "12345".to_owned(),
                Field::PostalCode,
                Rule::Malformed,
            ),
            (
                |d| d.city = "x".repeat(201),
                Field::City,
                Rule::TooLong(200),
            ),
        ];
        let before = portal.details(&viewer).await.unwrap();
        for (place, (spoil, field, rule)) in cases.into_iter().enumerate() {
            let mut input = filled();
            spoil(&mut input);
            let refused = portal.save_details(&viewer, input).await.err();
            assert_eq!(
                refused,
                Some(Refusal::Invalid(vec![(field, rule)])),
                "{place}"
            );
        }
        assert_eq!(portal.details(&viewer).await.unwrap(), before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_edited_is_ignored() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let mut features = all_features(&[&house.basic, &house.pro]);
        features.customer_update = vec![CustomerField::Phone];
        let (portal, viewer) = house.enter_under(&customer, features).await;
        let mut input = filled();
        input.email = "not an address".to_owned();
        let saved = portal.save_details(&viewer, input).await.unwrap();
        assert_eq!(saved.name.as_deref(), Some("Ada"));
        assert_eq!((saved.email, saved.address), (None, None));
        assert_eq!(saved.phone.as_deref(), Some("+44 20 7946 0000"));
        let refused = portal.add_tax_id(&viewer, "eu_vat".to_owned(), "DE123456789".to_owned());
        assert_eq!(refused.await.err(), Some(Refusal::NotAllowed));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tax_ids() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let (portal, viewer) = house.enter(&customer).await;
        let add =
            |kind: &str, value: &str| portal.add_tax_id(&viewer, kind.to_owned(), value.to_owned());
        let saved = add("ch_vat", "che-123.456.788 mwst").await.unwrap();
        assert_eq!(saved.tax_ids.len(), 1);
        assert_eq!(saved.tax_ids[0].country.as_deref(), Some("CH"));
        let cases = [
            (
                "ch_vat",
                "CHE-123.456.788 MWST",
                Field::TaxIdValue,
                Rule::Duplicate,
            ),
            ("eu_vat", "123", Field::TaxIdValue, Rule::Malformed),
            ("xx_vat", "123", Field::TaxIdType, Rule::Unknown),
            ("eu_vat", "  ", Field::TaxIdValue, Rule::Required),
        ];
        for (kind, value, field, rule) in cases {
            let refused = add(kind, value).await.err();
            assert_eq!(
                refused,
                Some(Refusal::Invalid(vec![(field, rule)])),
                "{kind} {value}"
            );
        }
        let gone = portal
            .remove_tax_id(&viewer, saved.tax_ids[0].id.to_string())
            .await
            .unwrap();
        assert_eq!(gone.tax_ids, []);
        let events = house.world.events().await;
        for kind in ["customer.tax_id.created", "customer.tax_id.deleted"] {
            assert!(events.iter().any(|event| event == kind), "{kind}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_and_language() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let (portal, viewer) = house.enter(&customer).await;
        let mail = portal.mail(&viewer).await.unwrap();
        assert!(!mail.promotions, "off until asked for");
        let wanted = MailPreferences {
            promotions: true,
            receipts: false,
            ..mail
        };
        assert_eq!(portal.save_mail(&viewer, wanted).await, Ok(wanted));
        assert_eq!(portal.mail(&viewer).await, Ok(wanted));
        portal
            .choose_language(&viewer, "fr".to_owned())
            .await
            .unwrap();
        portal
            .choose_language(&viewer, "zh".to_owned())
            .await
            .unwrap();
        let frame = portal.frame(&viewer).await.unwrap();
        assert_eq!(frame.customer_locale.as_deref(), Some("zh"));
        let refused = portal
            .choose_language(&viewer, "tlh".to_owned())
            .await
            .err();
        assert_eq!(
            refused,
            Some(Refusal::Invalid(vec![(Field::Language, Rule::Unknown)]))
        );
    })
    .await;
}
