//! Ids carry their bits, keep their kind, and refuse everything else.

use super::*;
use proptest::prelude::*;

#[test]
fn prefixes_are_those_of_stripe_and_all_differ() {
    let prefixes = [
        (CustomerId::PREFIX, "cus_"),
        (ProductId::PREFIX, "prod_"),
        (PriceId::PREFIX, "price_"),
        (SubscriptionId::PREFIX, "sub_"),
        (SubscriptionItemId::PREFIX, "si_"),
        (InvoiceId::PREFIX, "in_"),
        (InvoiceLineId::PREFIX, "il_"),
        (InvoiceItemId::PREFIX, "ii_"),
        (PaymentMethodId::PREFIX, "pm_"),
        (SetupIntentId::PREFIX, "seti_"),
        (PaymentIntentId::PREFIX, "pi_"),
        (ChargeId::PREFIX, "ch_"),
        (CouponId::PREFIX, ""),
        (DiscountId::PREFIX, "di_"),
        (PromotionCodeId::PREFIX, "promo_"),
        (TaxRateId::PREFIX, "txr_"),
        (TaxIdId::PREFIX, "txi_"),
        (PortalConfigurationId::PREFIX, "bpc_"),
        (PortalSessionId::PREFIX, "bps_"),
        (EventId::PREFIX, "evt_"),
        (QuoteId::PREFIX, "chq_"),
        (MerchantId::PREFIX, "acct_"),
        (ApiKeyId::PREFIX, "mk_"),
        (RequestId::PREFIX, "req_"),
        (MeterId::PREFIX, "mtr_"),
        (CustomerBalanceTransactionId::PREFIX, "cbtxn_"),
        (TestClockId::PREFIX, "clock_"),
        (CreditNoteId::PREFIX, "cn_"),
        (CreditNoteLineId::PREFIX, "cnli_"),
        (RefundId::PREFIX, "re_"),
        (InvoicePaymentId::PREFIX, "inpay_"),
        (SubscriptionScheduleId::PREFIX, "sub_sched_"),
        (BillingAlertId::PREFIX, "alrt_"),
        (MailId::PREFIX, "mail_"),
    ];
    for (index, (prefix, expected)) in prefixes.iter().enumerate() {
        assert_eq!(prefix, expected);
        assert!(
            prefixes
                .iter()
                .skip(index + 1)
                .all(|(other, _)| other != prefix),
            "{prefix}"
        );
    }
}

#[test]
fn ids_are_made_from_given_bits() {
    assert_eq!(
        CustomerId::from_random(0).as_str(),
        "cus_0000000000000000000000"
    );
    assert_eq!(
        CustomerId::from_random(61).as_str(),
        "cus_000000000000000000000z"
    );
    assert_eq!(
        CustomerId::from_random(62).as_str(),
        "cus_0000000000000000000010"
    );
    assert_eq!(
        CustomerId::from_random(u128::MAX).as_str(),
        "cus_7n42DGM5Tflk9n8mt7Fhc7"
    );
    assert_eq!(CouponId::from_random(62).as_str(), "00000010");
    assert_eq!(CouponId::from_random(u128::MAX).as_str().len(), 8);

    struct Counter(u128);
    impl Randomness for Counter {
        fn bits(&mut self) -> u128 {
            self.0 += 1;
            self.0
        }
    }
    let mut counter = Counter(8);
    assert_eq!(InvoiceId::new(&mut counter), InvoiceId::from_random(9));
    assert_eq!(InvoiceId::new(&mut counter), InvoiceId::from_random(10));
}

#[test]
fn parse_refuses_other_kinds_and_characters() {
    check("cus_NffrFeUfNV2Hib", Ok(()));
    check("cus_a", Ok(()));
    check("cus_test_1", Ok(()));
    check("cus_", Err(IdError::Empty));
    for text in ["", "cus", "CUS_a", "sub_a", " cus_a", "xcus_a"] {
        check(text, Err(IdError::Prefix { expected: "cus_" }));
    }
    for text in [
        "cus_a ",
        "cus_a-b",
        "cus_é",
        "cus_a/b",
        "cus_a\0",
        "cus_a'--",
        "cus_\u{202e}a",
    ] {
        check(text, Err(IdError::Charset));
    }
    check(&format!("cus_{}", "a".repeat(60)), Ok(()));
    check(&format!("cus_{}", "a".repeat(61)), Err(IdError::TooLong));

    fn check(text: &str, expected: Result<(), IdError>) {
        let id = CustomerId::parse(text);
        assert_eq!(
            id.as_ref().map(|_| ()).map_err(|error| *error),
            expected,
            "{text:?}"
        );
        assert!(id.is_err() || id.is_ok_and(|id| id.as_str() == text && id.to_string() == text));
    }
}

#[test]
fn merchants_may_choose_coupon_ids() {
    check("SUMMER-25_x", Ok(()));
    check("25OFF", Ok(()));
    check("", Err(IdError::Empty));
    check("25 %", Err(IdError::Charset));
    check("été", Err(IdError::Charset));

    fn check(text: &str, expected: Result<(), IdError>) {
        assert_eq!(CouponId::parse(text).map(|_| ()), expected, "{text:?}");
    }
}

#[test]
fn json_is_checked() -> Result<(), serde_json::Error> {
    let id = EventId::from_random(1);
    let json = serde_json::to_string(&id)?;
    assert_eq!(json, "\"evt_0000000000000000000001\"");
    assert_eq!(serde_json::from_str::<EventId>(&json)?, id);
    assert!(serde_json::from_str::<CustomerId>(&json).is_err());
    assert!(serde_json::from_str::<EventId>("7").is_err());
    Ok(())
}

proptest! {
    #[test]
    fn the_bits_can_be_read_back(bits: u128) {
        let id = SubscriptionId::from_random(bits);
        prop_assert_eq!(SubscriptionId::parse(id.as_str()), Ok(id.clone()));
        let digits = id.as_str().trim_start_matches("sub_");
        prop_assert_eq!(digits.len(), 22);
        let mut read = 0_u128;
        for digit in digits.bytes() {
            let value = DIGITS.iter().position(|known| *known == digit);
            let value = u128::try_from(value.ok_or_else(|| TestCaseError::fail("digit"))?)?;
            read = read * 62 + value;
        }
        prop_assert_eq!(read, bits);
        prop_assert_eq!(id.bits(), Some(bits));
    }

    #[test]
    fn made_coupon_ids_read_back(bits: u128) {
        let id = CouponId::from_random(bits);
        prop_assert_eq!(CouponId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn no_text_panics(text in "(cus_)?\\PC{0,70}") {
        if let Ok(id) = CustomerId::parse(&text) {
            prop_assert_eq!(id.as_str(), text);
        }
    }
}
