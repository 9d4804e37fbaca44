//! All that the pages may ask of the server, and the shapes in which it answers. The server
//! implements [`Portal`]; context carries it.

use perennial::calendar::{Cadence, Period, Timestamp};
use perennial::catalog::{Price, Product};
use perennial::customer::{Address, Customer, TaxId};
use perennial::decimal::Decimal12;
use perennial::discount::Discount;
use perennial::id::{InvoiceId, PaymentMethodId, PriceId, SubscriptionId, SubscriptionItemId};
use perennial::invoice::{Invoice, InvoiceItem, InvoiceStatus};
use perennial::money::Money;
use perennial::payment::PaymentMethod;
use perennial::portal::{AdjustableQuantity, CancelMode, CustomerField, UpdateRules};
use perennial::quote::Quote;
use perennial::subscription::{Feedback, Status, Subscription};
use serde::{Deserialize, Serialize};

use crate::refusal::{CodeFault, DeclineReason};

/// What surrounds every page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The merchant's name.
    pub merchant_name: String,
    /// The merchant's logo on light ground.
    pub logo: Option<String>,
    /// The merchant's logo on dark ground.
    pub logo_dark: Option<String>,
    /// The merchant's line of welcome.
    pub headline: Option<String>,
    /// Where "Back to …" leads.
    pub return_url: Option<String>,
    /// The merchant's privacy policy.
    pub privacy_policy_url: Option<String>,
    /// The merchant's terms.
    pub terms_of_service_url: Option<String>,
    /// What the customer is called: name, else e-mail.
    pub customer_name: String,
    /// The customer's e-mail.
    pub customer_email: Option<String>,
    /// The customer's own language, if they chose one.
    pub customer_locale: Option<String>,
    /// Test data: said on every page.
    pub livemode: bool,
    /// The moment that the customer lives at, where that is a test clock's.
    pub simulated: Option<Timestamp>,
    /// Which sections there are.
    pub sections: Sections,
}

/// Which sections a merchant shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sections {
    /// Payment methods.
    pub payment_methods: bool,
    /// Billing history.
    pub invoices: bool,
    /// Billing details (any editable field).
    pub details: bool,
}

/// The first page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// The most urgent thing, if any.
    pub attention: Option<Attention>,
    /// Live subscriptions first, newest first; ended ones of the last 90 days after them.
    pub subscriptions: Vec<SubscriptionCard>,
    /// The newest three.
    pub invoices: Vec<InvoiceRow>,
    /// The default first.
    pub payment_methods: Vec<PaymentMethodCard>,
    /// Name, address and so on, to show in short.
    pub details: Details,
    /// The customer's credit (negative) or debt (positive) that the next invoice takes up.
    pub balance: Option<Money>,
}

/// What needs the customer first, most urgent variant first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attention {
    /// A charge failed and money is owed.
    PaymentFailed {
        /// What to pay.
        invoice: InvoiceId,
        /// How much is open.
        amount: Money,
        /// What the bank said.
        reason: DeclineReason,
        /// When we try again by ourselves.
        retry_at: Option<Timestamp>,
    },
    /// The bank wants the customer to prove who they are.
    NeedsAuthentication {
        /// What to pay.
        invoice: InvoiceId,
        /// How much.
        amount: Money,
    },
    /// An invoice waits to be paid by hand.
    InvoiceOpen {
        /// What to pay.
        invoice: InvoiceId,
        /// How much.
        amount: Money,
        /// By when.
        due_at: Option<Timestamp>,
    },
    /// A trial ends soon and there is nothing to pay with.
    TrialEndsWithoutPaymentMethod {
        /// Which.
        subscription: SubscriptionId,
        /// When.
        at: Timestamp,
    },
    /// The card that pays next expires before it has to.
    CardExpires {
        /// Which. Boxed, because it is far larger than all the others.
        payment_method: Box<PaymentMethodCard>,
        /// Whether it has expired already.
        expired: bool,
    },
    /// A trial ends soon.
    TrialEnds {
        /// Which.
        subscription: SubscriptionId,
        /// When.
        at: Timestamp,
        /// What is charged then.
        amount: Money,
    },
}

/// A subscription as the first page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionCard {
    /// Which.
    pub id: SubscriptionId,
    /// Stripe's status.
    pub status: Status,
    /// Its items.
    pub items: Vec<ItemRow>,
    /// What each period costs, with tax and lasting discounts, without usage.
    pub recurring: Money,
    /// How often that is; `None` when items differ.
    pub cadence: Option<Cadence>,
    /// The period that is running (the earliest to end).
    pub current_period: Period,
    /// When the trial ends, while in one.
    pub trial_end: Option<Timestamp>,
    /// When it ends, if it is to end.
    pub cancel_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the failed payment is tried again.
    pub retry_at: Option<Timestamp>,
    /// When a pause ends by itself.
    pub resumes_at: Option<Timestamp>,
    /// Whether invoices are not collected for now, and until when, where that is known.
    pub collection_rests: Option<Option<Timestamp>>,
    /// The next ordinary payment; `None` when there is none.
    pub next_payment: Option<NextPayment>,
    /// What was used of metered items so far.
    pub usage: Vec<UsageRow>,
    /// What pays it.
    pub payment_method: Option<PaymentMethodCard>,
    /// Discounts in force: name and until when.
    pub discounts: Vec<DiscountRow>,
    /// A change that waits: its moment and what the items will be.
    pub scheduled: Option<ScheduledRow>,
    /// What was promised to be spent at least.
    pub commitments: Vec<CommitmentRow>,
    /// What the merchant's rules allow now.
    pub may: May,
}

/// What can be done with a subscription now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent permissions")]
pub struct May {
    /// Change plan or quantity.
    pub change: bool,
    /// Cancel.
    pub cancel: bool,
    /// Take a cancellation back.
    pub keep: bool,
    /// Take a waiting change back.
    pub undo_change: bool,
    /// Let it stand still.
    pub pause: bool,
    /// Let it go on.
    pub resume: bool,
}

/// An item in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRow {
    /// The product's name.
    pub product_name: String,
    /// What one is called.
    pub unit_label: Option<String>,
    /// Units; `None` for metered prices.
    pub quantity: Option<u64>,
    /// For one period, before tax and discounts; `None` for metered prices.
    pub amount: Option<Money>,
    /// How often.
    pub cadence: Option<Cadence>,
}

/// The next ordinary payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextPayment {
    /// When.
    pub at: Timestamp,
    /// How much, as it stands today: with pending items, tax, discounts and balance.
    pub amount: Money,
    /// Whether usage comes on top.
    pub plus_usage: bool,
}

/// What was used of a metered item in its running period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    /// The product's name.
    pub product_name: String,
    /// How much.
    pub used: Decimal12,
    /// How many units cost nothing, where the first ones do.
    pub included: Option<u64>,
    /// What it comes to so far, before tax and discounts.
    pub amount: Money,
    /// What a unit costs by now.
    pub price: UsagePrice,
    /// Since when.
    pub since: Timestamp,
}

/// What metered units cost at the level that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsagePrice {
    /// So much each, in minor units.
    Each(Decimal12),
    /// So much for each package, in minor units.
    Package {
        /// For one.
        amount: Decimal12,
        /// Units in it.
        units: u64,
    },
    /// By ranges of quantity: what a unit costs in the one that was reached, in minor units.
    Tier {
        /// For one unit.
        each: Decimal12,
        /// The range's last unit; none in the last range.
        up_to: Option<u64>,
        /// Whether all units cost what the range says.
        of_all: bool,
    },
}

/// An amount that was promised to be spent at least, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitmentRow {
    /// What was promised, before tax.
    pub committed: Money,
    /// What counts for it so far: what was billed, and usage that will be.
    pub counted: Money,
    /// What is billed at its end if nothing more comes; zero once it is met.
    pub missing: Money,
    /// Its end.
    pub until: Timestamp,
}

/// A discount in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountRow {
    /// The coupon's name or id.
    pub name: String,
    /// How much.
    pub off: perennial::discount::Off,
    /// Until when; `None` for good (or once).
    pub until: Option<Timestamp>,
}

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledRow {
    /// When it happens; `None` for a paused subscription that goes on when somebody says so: then.
    pub at: Option<Timestamp>,
    /// The items after it.
    pub items: Vec<ItemRow>,
    /// What each period costs then.
    pub recurring: Money,
}

/// A saved payment method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentMethodCard {
    /// The method (without the gateway's token).
    pub method: PaymentMethod,
    /// Whether the customer's invoices are paid with it.
    pub is_default: bool,
    /// Whether it may be removed now.
    pub removable: bool,
    /// In which place it is tried when another fails, from 1; none where the customer did not allow it.
    pub backup: Option<u32>,
}

/// An invoice in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceRow {
    /// Which.
    pub id: InvoiceId,
    /// Its number.
    pub number: Option<String>,
    /// When it was finalised (or made).
    pub date: Timestamp,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// Whether its last charge failed.
    pub failed: bool,
    /// Its total.
    pub total: Money,
    /// What is still to pay.
    pub remaining: Money,
    /// The products on it, in order, each once.
    pub products: Vec<String>,
    /// Whether it bills a change of a subscription in mid-period.
    pub of_change: bool,
}

/// A part of a longer list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceList {
    /// Newest first.
    pub rows: Vec<InvoiceRow>,
    /// Names the next part, if there is one.
    pub next: Option<InvoiceId>,
    /// Names the part before; `None` on a later part means that the one before is the first, which needs no name.
    pub previous: Option<InvoiceId>,
}

/// One invoice, to read, print and pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoicePage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// The invoice.
    pub invoice: Invoice,
    /// Who claims.
    pub seller: Seller,
    /// What could pay it, the likeliest first; empty when it can't be paid here.
    pub payment_methods: Vec<PaymentMethodCard>,
    /// Whether the customer can pay it now.
    pub payable: bool,
    /// A proof of identity that the newest charge waits for.
    pub challenge: Option<String>,
    /// What was given back of it, oldest first.
    pub adjustments: Vec<Adjustment>,
}

/// Something that was given back of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment {
    /// When.
    pub at: Timestamp,
    /// How much in all.
    pub amount: Money,
    /// As what.
    pub kind: AdjustmentKind,
}

/// How something was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdjustmentKind {
    /// By a credit note. What is in none of its amounts was taken off what was still to be paid.
    CreditNote {
        /// Its number.
        number: String,
        /// Back to the card.
        refunded: Money,
        /// Whether that has left for the bank.
        arrived: bool,
        /// To the customer's credit.
        to_balance: Money,
        /// By other ways.
        otherwise: Money,
    },
    /// By a refund alone.
    Refund {
        /// Whether it has left for the bank.
        arrived: bool,
    },
}

/// The merchant on an invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// The legal name.
    pub name: String,
    /// Where.
    pub address: Option<Address>,
    /// For questions.
    pub email: Option<String>,
    /// Tax registration, as it is to be printed.
    pub tax_id: Option<String>,
}

/// All that the change page needs to compute a preview by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePage {
    /// The server's moment.
    pub now: Timestamp,
    /// As it is.
    pub subscription: Subscription,
    /// Balance, tax status, discount.
    pub customer: Customer,
    /// Amounts that wait for the next invoice.
    pub pending: Vec<InvoiceItem>,
    /// The merchant's rules.
    pub rules: UpdateRules,
    /// What can be switched to, in the merchant's order; includes the current plan.
    pub plans: Vec<Plan>,
    /// What pays.
    pub payment_method: Option<PaymentMethodCard>,
    /// Linked where the change is confirmed.
    pub terms_of_service_url: Option<String>,
    /// The promotion code that was entered, if one was.
    pub code: Option<EnteredCode>,
}

/// A promotion code as the customer typed it, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnteredCode {
    /// As typed.
    pub typed: String,
    /// What it gives.
    pub gives: Result<GivenByCode, CodeFault>,
}

/// What a promotion code gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenByCode {
    /// The discount, as it is going to be.
    pub discount: Discount,
    /// The least that has to be bought with it.
    pub minimum: Option<Money>,
}

/// A product that can be switched to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What.
    pub product: Product,
    /// On which terms.
    pub prices: Vec<Price>,
    /// Bounds of the quantity; `None` when it may not change.
    pub adjustable_quantity: Option<AdjustableQuantity>,
    /// Whether it can be added beside others instead of replacing them.
    pub add_on: bool,
}

/// What a customer wishes for one subscription. Plain values, so that a form without JavaScript can
/// send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Whose price or quantity changes; `None` adds an item.
    pub item: Option<SubscriptionItemId>,
    /// The price afterwards; `None` removes the item.
    pub price: Option<PriceId>,
    /// Units afterwards.
    pub quantity: u64,
}

/// A binding quote, to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotePage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// What binds.
    pub quote: Quote,
    /// The items before.
    pub before: Vec<ItemRow>,
    /// The items after.
    pub after: Vec<ItemRow>,
    /// What pays.
    pub payment_method: Option<PaymentMethodCard>,
    /// Linked where it is confirmed.
    pub terms_of_service_url: Option<String>,
}

/// What came of a payment or of something that needs one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settled {
    /// All is done; so much was charged now.
    Done {
        /// Charged now; zero when nothing was.
        charged: Money,
        /// The invoice, if there is one.
        invoice: Option<InvoiceId>,
    },
    /// It waits for the period's end.
    Scheduled {
        /// When it happens.
        at: Timestamp,
    },
    /// The change is made or the invoice stays open, and the customer must prove who they are.
    Challenge {
        /// Where.
        url: String,
    },
    /// The change is made or the invoice stays open; the bank has not answered yet. We find out by ourselves, and nothing
    /// is charged twice.
    Processing {
        /// What is being paid.
        invoice: InvoiceId,
    },
    /// The change is made; its charge failed and the invoice is open.
    Unpaid {
        /// What to pay.
        invoice: InvoiceId,
        /// What the bank said.
        reason: DeclineReason,
    },
}

/// Before cancelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelPage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// Which.
    pub subscription: SubscriptionCard,
    /// When it would end.
    pub mode: CancelMode,
    /// The moment it would end.
    pub ends_at: Timestamp,
    /// What the customer would get as credit, if anything.
    pub credit: Option<Money>,
    /// To pick from; empty means it isn't asked.
    pub reasons: Vec<Feedback>,
}

/// Before a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausePage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// Which.
    pub subscription: SubscriptionCard,
    /// What is given back for time that was paid, if anything.
    pub credit: Option<Money>,
    /// How long it may last.
    pub options: Vec<PauseOption>,
}

/// How long a pause may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseOption {
    /// Its place in the merchant's rules.
    pub place: u32,
    /// When it goes on by itself; `None` when somebody must let it go on.
    pub resumes_at: Option<Timestamp>,
}

/// Before going on after a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumePage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// Which.
    pub subscription: SubscriptionCard,
    /// What is charged at once.
    pub due: Money,
}

/// A card as typed. It lives for one request and is never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardInput {
    /// Digits, spaces allowed.
    pub number: String,
    /// `MM/YY` or `MM / YYYY`.
    pub expiry: String,
    /// 3 or 4 digits.
    pub cvc: String,
    /// The name on it.
    pub name: String,
}

impl core::fmt::Debug for CardInput {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CardInput(…)")
    }
}

/// What a customer wishes for a card as a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupWish {
    /// It may be charged when another fails.
    Allow,
    /// It may not any more.
    Withdraw,
    /// It is tried before the one before it.
    Earlier,
}

/// What came of adding a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Added {
    /// It is saved.
    Saved {
        /// As what.
        id: PaymentMethodId,
        /// Whether what is open is being charged with it.
        charging: bool,
    },
    /// The customer must prove who they are first.
    Challenge {
        /// Where.
        url: String,
    },
}

/// Billing details, to read and edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Name or company.
    pub name: Option<String>,
    /// Where mail goes.
    pub email: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// Billing address.
    pub address: Option<Address>,
    /// Tax registrations.
    pub tax_ids: Vec<TaxId>,
    /// What may be edited.
    pub editable: Vec<CustomerField>,
}

/// Billing details as typed; fields that may not be edited are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each is named after the input it stands for")]
pub struct DetailsInput {
    pub name: String,
    pub email: String,
    pub phone: String,
    pub line1: String,
    pub line2: String,
    pub city: String,
    pub state: String,
    pub postal_code: String,
    pub country: String,
}

#[cfg(feature = "ssr")]
pub use ssr::{Answer, Portal};

#[cfg(feature = "ssr")]
mod ssr {
    use super::*;
    use crate::refusal::Refusal;
    use crate::viewer::Viewer;
    use perennial::customer::MailPreferences;
    use perennial::id::QuoteId;
    use std::future::Future;
    use std::pin::Pin;

    /// What the port answers with, in time.
    pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

    /// All that a customer's pages may ask. Every method checks that what it is asked about is the
    /// viewer's and that the merchant's rules allow it.
    pub trait Portal: Send + Sync {
        /// The moment that the pages hold for, from the server's clock.
        fn now(&self) -> Timestamp;
        /// What surrounds every page.
        fn frame<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Frame>;
        /// The first page.
        fn home<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Home>;
        /// All that the change page needs, with a promotion code tried.
        fn change_page<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a SubscriptionId,
            code: Option<String>,
        ) -> Answer<'a, ChangePage>;
        /// Prices a change and keeps the price for [`perennial::quote::QUOTE_SECONDS`]. With a promotion code there
        /// need be no wishes.
        fn quote<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a SubscriptionId,
            wishes: Vec<Wish>,
            code: Option<String>,
        ) -> Answer<'a, QuotePage>;
        /// A quote that was made before.
        fn quote_page<'a>(&'a self, viewer: &'a Viewer, id: &'a QuoteId) -> Answer<'a, QuotePage>;
        /// Makes the change at exactly the quoted price, or refuses it as stale.
        fn confirm<'a>(&'a self, viewer: &'a Viewer, id: &'a QuoteId) -> Answer<'a, Settled>;
        /// Takes a waiting change back.
        fn undo_change<'a>(&'a self, viewer: &'a Viewer, id: &'a SubscriptionId) -> Answer<'a, ()>;
        /// What cancelling would mean.
        fn cancel_page<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a SubscriptionId,
        ) -> Answer<'a, CancelPage>;
        /// Cancels as the rules say.
        fn cancel<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a SubscriptionId,
            feedback: Option<Feedback>,
            comment: Option<String>,
        ) -> Answer<'a, Timestamp>;
        /// Takes a cancellation back.
        fn keep<'a>(&'a self, viewer: &'a Viewer, id: &'a SubscriptionId) -> Answer<'a, ()>;
        /// What a pause would mean.
        fn pause_page<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a SubscriptionId,
        ) -> Answer<'a, PausePage>;
        /// Lets a subscription stand still, until the end of one of the options.
        fn pause<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a SubscriptionId,
            option: u32,
        ) -> Answer<'a, ()>;
        /// What going on would cost.
        fn resume_page<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a SubscriptionId,
        ) -> Answer<'a, ResumePage>;
        /// Lets a subscription go on at exactly the amount that was shown, or refuses it as stale.
        fn resume<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a SubscriptionId,
            due_minor: i64,
        ) -> Answer<'a, Settled>;
        /// Saved payment methods, the default first.
        fn payment_methods<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Vec<PaymentMethodCard>>;
        /// Saves a card; the first one becomes the default. Where the bank asks for a proof first, the customer comes
        /// back to the invoice that they were about to pay, if any.
        fn add_card<'a>(
            &'a self,
            viewer: &'a Viewer,
            card: CardInput,
            make_default: bool,
            invoice: Option<InvoiceId>,
        ) -> Answer<'a, Added>;
        /// Pays with this one from now on. Answers whether what is open is being charged with it.
        fn make_default<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a PaymentMethodId,
        ) -> Answer<'a, bool>;
        /// Allows that this one is charged when another fails, takes that back, or tries it earlier.
        fn back_up<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a PaymentMethodId,
            wish: BackupWish,
        ) -> Answer<'a, ()>;
        /// Forgets a payment method.
        fn remove_payment_method<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a PaymentMethodId,
        ) -> Answer<'a, ()>;
        /// Invoices, newest first, [`INVOICES_A_PAGE`] at a time.
        fn invoices<'a>(
            &'a self,
            viewer: &'a Viewer,
            after: Option<InvoiceId>,
        ) -> Answer<'a, InvoiceList>;
        /// One invoice.
        fn invoice<'a>(&'a self, viewer: &'a Viewer, id: &'a InvoiceId) -> Answer<'a, InvoicePage>;
        /// Pays an open invoice.
        fn pay<'a>(
            &'a self,
            viewer: &'a Viewer,
            id: &'a InvoiceId,
            payment_method: Option<PaymentMethodId>,
        ) -> Answer<'a, Settled>;
        /// Billing details.
        fn details<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Details>;
        /// Saves billing details.
        fn save_details<'a>(
            &'a self,
            viewer: &'a Viewer,
            input: DetailsInput,
        ) -> Answer<'a, Details>;
        /// Adds a tax registration: Stripe's type and the value as typed.
        fn add_tax_id<'a>(
            &'a self,
            viewer: &'a Viewer,
            kind: String,
            value: String,
        ) -> Answer<'a, Details>;
        /// Removes a tax registration.
        fn remove_tax_id<'a>(&'a self, viewer: &'a Viewer, id: String) -> Answer<'a, Details>;
        /// Mail preferences.
        fn mail<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, MailPreferences>;
        /// Saves mail preferences.
        fn save_mail<'a>(
            &'a self,
            viewer: &'a Viewer,
            mail: MailPreferences,
        ) -> Answer<'a, MailPreferences>;
        /// Remembers the customer's language.
        fn choose_language<'a>(&'a self, viewer: &'a Viewer, tag: String) -> Answer<'a, ()>;
        /// Ends the session.
        fn sign_out<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, ()>;
    }
}

/// Invoices on one part of the list.
pub const INVOICES_A_PAGE: u32 = 12;
