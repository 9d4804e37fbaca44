//! What came of what the reader did: a notice when it was done, the refusal when it wasn't, and each fault beside its
//! field.
//!
//! Without scripts both travel in the page's address, which anybody can write: they are closed codes, and the sentences
//! and amounts come from us.

use super::refused::explain;
use crate::{
    locale::{Words, words},
    refusal::{Field, Refusal, Rule},
    ui::{Banner, Tone},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// Something that was done. Its code stands in the address as `done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what was done")]
pub enum Notice {
    CardAdded,
    CardCharging,
    DefaultCharging,
    BackupAllowed,
    BackupWithdrawn,
    BackupMoved,
    CardNotConfirmed,
    DefaultChanged,
    CardRemoved,
    InvoicePaid,
    PaymentNotConfirmed,
    PaymentProcessing,
    DetailsSaved,
    TaxIdAdded,
    TaxIdRemoved,
    MailSaved,
    LanguageSaved,
    PlanChanged,
    ChangePlanned,
    ChangeUndone,
    Cancelled,
    Kept,
    ChangeUnpaid,
    CodeUsed,
    Paused,
    Resumed,
    ResumedUnpaid,
}

impl Notice {
    /// Every notice with its code.
    const CODES: [(Self, &'static str); 27] = [
        (Self::CardAdded, "card-added"),
        (Self::CardCharging, "card-charging"),
        (Self::DefaultCharging, "default-charging"),
        (Self::BackupAllowed, "backup-allowed"),
        (Self::BackupWithdrawn, "backup-withdrawn"),
        (Self::BackupMoved, "backup-moved"),
        (Self::CardNotConfirmed, "card-not-confirmed"),
        (Self::DefaultChanged, "default-changed"),
        (Self::CardRemoved, "card-removed"),
        (Self::InvoicePaid, "invoice-paid"),
        (Self::PaymentNotConfirmed, "payment-not-confirmed"),
        (Self::PaymentProcessing, "payment-processing"),
        (Self::DetailsSaved, "details-saved"),
        (Self::TaxIdAdded, "tax-id-added"),
        (Self::TaxIdRemoved, "tax-id-removed"),
        (Self::MailSaved, "mail-saved"),
        (Self::LanguageSaved, "language-saved"),
        (Self::PlanChanged, "plan-changed"),
        (Self::ChangePlanned, "change-planned"),
        (Self::ChangeUndone, "change-undone"),
        (Self::Cancelled, "cancelled"),
        (Self::Kept, "kept"),
        (Self::ChangeUnpaid, "change-unpaid"),
        (Self::CodeUsed, "code-used"),
        (Self::Paused, "paused"),
        (Self::Resumed, "resumed"),
        (Self::ResumedUnpaid, "resumed-unpaid"),
    ];

    /// Reads the code of an address.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let found = Self::CODES.iter().find(|(_, known)| *known == code)?;
        Some(found.0)
    }

    /// The code for an address.
    #[must_use]
    pub fn code(self) -> &'static str {
        let found = Self::CODES.iter().find(|(notice, _)| *notice == self);
        found.map_or("", |(_, code)| code)
    }

    /// Whether it is bad news.
    const fn tone(self) -> Tone {
        match self {
            Self::CardNotConfirmed
            | Self::PaymentNotConfirmed
            | Self::ChangeUnpaid
            | Self::ResumedUnpaid => Tone::Danger,
            _ => Tone::Positive,
        }
    }

    /// What happened, and what comes next.
    fn say(self, words: Words) -> (&'static str, &'static str) {
        match self {
            Self::CardAdded => (words.done_card_added(), words.done_card_added_detail()),
            Self::CardCharging => (words.done_card_added(), words.done_charging_detail()),
            Self::DefaultCharging => (words.done_default_changed(), words.done_charging_detail()),
            Self::BackupAllowed => (
                words.done_backup_allowed(),
                words.done_backup_allowed_detail(),
            ),
            Self::BackupWithdrawn => (
                words.done_backup_withdrawn(),
                words.done_backup_withdrawn_detail(),
            ),
            Self::BackupMoved => (words.done_backup_moved(), ""),
            Self::CardNotConfirmed => (
                words.done_card_not_confirmed(),
                words.done_card_not_confirmed_detail(),
            ),
            Self::DefaultChanged => (
                words.done_default_changed(),
                words.done_default_changed_detail(),
            ),
            Self::CardRemoved => (words.done_card_removed(), words.done_card_removed_detail()),
            Self::InvoicePaid => (words.done_invoice_paid(), words.done_invoice_paid_detail()),
            Self::PaymentProcessing => (
                words.done_payment_processing(),
                words.done_payment_processing_detail(),
            ),
            Self::PaymentNotConfirmed => (
                words.done_payment_not_confirmed(),
                words.done_payment_not_confirmed_detail(),
            ),
            Self::DetailsSaved => (
                words.done_details_saved(),
                words.done_details_saved_detail(),
            ),
            Self::TaxIdAdded => (words.done_tax_id_added(), words.done_tax_id_detail()),
            Self::TaxIdRemoved => (words.done_tax_id_removed(), words.done_tax_id_detail()),
            Self::MailSaved => (words.done_mail_saved(), words.done_mail_saved_detail()),
            Self::LanguageSaved => (
                words.done_language_saved(),
                words.done_language_saved_detail(),
            ),
            Self::PlanChanged => (words.done_plan_changed(), words.done_plan_changed_detail()),
            Self::ChangePlanned => (
                words.done_change_planned(),
                words.done_change_planned_detail(),
            ),
            Self::ChangeUndone => (
                words.done_change_undone(),
                words.done_change_undone_detail(),
            ),
            Self::Cancelled => (words.done_cancelled(), words.done_cancelled_detail()),
            Self::Kept => (words.done_kept(), words.done_kept_detail()),
            Self::ChangeUnpaid => (
                words.done_change_unpaid(),
                words.done_change_unpaid_detail(),
            ),
            Self::CodeUsed => (words.done_code_used(), words.done_code_used_detail()),
            Self::Paused => (words.done_paused(), words.done_paused_detail()),
            Self::Resumed => (words.done_resumed(), words.done_resumed_detail()),
            Self::ResumedUnpaid => (
                words.done_resumed_unpaid(),
                words.done_change_unpaid_detail(),
            ),
        }
    }
}

/// Sends the reader on to `path`, where `notice` is shown.
#[cfg(feature = "ssr")]
pub fn go_on(path: &str, notice: Notice) {
    leptos_axum::redirect(&format!("{path}?done={}", notice.code()));
}

/// Sends a reader without scripts to a page that isn't the app's, such as a bank's. With scripts the page itself leaves:
/// see [`super::act::Act::send`].
#[cfg(feature = "ssr")]
pub fn leave(url: &str) {
    use http::{header, request::Parts};
    let by_form = use_context::<Parts>().is_some_and(|parts| {
        let accept = parts.headers.get(header::ACCEPT);
        accept.is_some_and(|accept| {
            accept
                .to_str()
                .is_ok_and(|accept| accept.contains("text/html"))
        })
    });
    // A URL that cannot stand in a header would be a fault of the gateway's; the page then shows the way as a link.
    if by_form && http::HeaderValue::from_str(url).is_ok() {
        leptos_axum::redirect(url);
    }
}

/// What an action answered: the address of a page outside the app to go on to, or nothing.
pub type Away = Option<String>;

/// What came of the last act on a page: its refusal, else the notice that the address names.
#[component]
pub fn Outcome(
    /// Why the act was refused.
    #[prop(optional, into)]
    refusal: Signal<Option<Refusal>>,
    /// Whether the notice of the address belongs here; another part of the page may show it instead.
    #[prop(default = true)]
    notices: bool,
    /// What to say of one notice in place of its usual detail, where the page knows more.
    #[prop(optional)]
    detail: Option<(Notice, String)>,
) -> impl IntoView {
    let words = words();
    let query = use_query_map();
    move || {
        let refused = refusal.get().map(|refusal| {
            let (title, detail) = explain(words, &refusal);
            (Tone::Danger, title, detail)
        });
        let done = || {
            let code = query.with(|query| query.get("done")).filter(|_| notices)?;
            let notice = Notice::from_code(&code)?;
            let (title, usual) = notice.say(words);
            let known = detail.as_ref().filter(|(known, _)| *known == notice);
            let detail = known.map_or_else(|| usual.to_owned(), |(_, detail)| detail.clone());
            Some((notice.tone(), title.to_owned(), detail))
        };
        let shown = refused.or_else(done);
        shown.map(|(tone, title, detail)| {
            view! { <Banner tone=tone title=title nostrip:detail=Some(detail).filter(|detail| !detail.is_empty()) /> }
        })
    }
}

/// The faults of a form: what the server found, until the browser knows better.
#[derive(Clone, Copy)]
pub struct Faults {
    words: Words,
    refusal: Signal<Option<Refusal>>,
    /// What the browser found since the server's answer, by field; `None` means that the field is right now.
    noted: RwSignal<Vec<(Field, Option<Rule>)>>,
    /// Whether the reader is pressing the button that sends the form.
    pressing: StoredValue<bool>,
}

impl Faults {
    /// The faults of the form that sends an action.
    #[must_use]
    pub fn new(refusal: Signal<Option<Refusal>>) -> Self {
        let noted = RwSignal::new(Vec::new());
        Effect::new(move |_| {
            refusal.track();
            noted.update(Vec::clear);
        });
        Self {
            words: words(),
            refusal,
            noted,
            pressing: StoredValue::new(false),
        }
    }

    /// Hears that the button which sends the form is being pressed.
    pub fn press(self) {
        self.pressing.set_value(true);
    }

    /// Remembers what the browser found in a field that was left. A field that was left by pressing the button is not
    /// judged yet: a message that comes or goes would move the button from under the finger, and the press would be
    /// lost. An empty field may yet be filled in; it counts when the form is sent.
    pub fn left(self, field: Field, rule: Option<Rule>) {
        if !self.pressing.get_value() {
            self.note(field, rule.filter(|rule| *rule != Rule::Required));
        }
        self.pressing.set_value(false);
    }

    /// Remembers what the browser found in a field.
    pub fn note(self, field: Field, rule: Option<Rule>) {
        self.noted.update(|noted| {
            noted.retain(|(known, _)| *known != field);
            noted.push((field, rule));
        });
    }

    /// What is wrong with a field, in words.
    #[must_use]
    pub fn of(self, field: Field) -> Signal<Option<String>> {
        Signal::derive(move || {
            let found = |(known, _): &&(Field, _)| *known == field;
            let noted = self
                .noted
                .with(|noted| noted.iter().find(found).map(|(_, rule)| *rule));
            let rule = noted.unwrap_or_else(|| {
                self.refusal.with(|refusal| match refusal {
                    Some(Refusal::Invalid(faults)) => faults
                        .iter()
                        .find(|(known, _)| *known == field)
                        .map(|(_, rule)| *rule),
                    _ => None,
                })
            });
            rule.map(|rule| fault(self.words, field, rule))
        })
    }
}

/// What is wrong with a field, and how to mend it.
#[must_use]
pub fn fault(words: Words, field: Field, rule: Rule) -> String {
    let text = match (field, rule) {
        (Field::CardNumber, Rule::Required) => words.fault_card_number_required(),
        (Field::CardNumber, _) => words.fault_card_number(),
        (Field::CardExpiry, Rule::Required) => words.fault_card_expiry_required(),
        (Field::CardExpiry, Rule::Expired) => words.fault_card_expired(),
        (Field::CardExpiry, _) => words.fault_card_expiry(),
        (Field::CardCvc, Rule::Required) => words.fault_card_cvc_required(),
        (Field::CardCvc, _) => words.fault_card_cvc(),
        (Field::CardName, Rule::Required) => words.fault_card_name_required(),
        (Field::Email, Rule::Required | Rule::Malformed) => words.fault_email(),
        (Field::Phone, Rule::Malformed) => words.fault_phone(),
        (Field::PostalCode, Rule::Malformed) => words.fault_postal_code(),
        (Field::TaxIdValue, Rule::Malformed) => words.fault_tax_id(),
        (Field::TaxIdValue, Rule::Duplicate) => words.fault_tax_id_duplicate(),
        (Field::PaymentMethod, _) => words.fault_payment_method(),
        (Field::Country, _) => words.fault_country(),
        (_, Rule::TooLong(most)) => return words.fault_too_long(u64::from(most)),
        (_, Rule::TooSmall(least)) => return words.fault_too_small(&words.integer(least)),
        (_, Rule::TooLarge(most)) => return words.fault_too_large(&words.integer(most)),
        (_, Rule::TooMany(most)) => return words.fault_too_many(u64::from(most)),
        (_, Rule::Required) => words.fault_required(),
        (_, Rule::Malformed | Rule::Expired) => words.fault_malformed(),
        (_, Rule::Unknown | Rule::Code(_)) => words.fault_unknown(),
        (_, Rule::Duplicate) => words.fault_duplicate(),
    };
    text.to_owned()
}

/// What stands in an input or a list, by its id; nothing where there is no such.
#[must_use]
pub fn typed(id: &str) -> String {
    use leptos::{
        wasm_bindgen::JsCast,
        web_sys::{HtmlInputElement, HtmlSelectElement},
    };
    let Some(element) = document().get_element_by_id(id) else {
        return String::new();
    };
    match element.dyn_into::<HtmlInputElement>() {
        Ok(input) => input.value(),
        Err(element) => {
            let list = element.dyn_into::<HtmlSelectElement>();
            list.map(|list| list.value()).unwrap_or_default()
        }
    }
}

/// Puts the reader where an answer is needed.
pub fn focus(id: &str) {
    use leptos::{wasm_bindgen::JsCast, web_sys};
    let found = document()
        .get_element_by_id(id)
        .and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(element) = found {
        // An element that takes no focus is no worse than before.
        let _ = element.focus();
    }
}
