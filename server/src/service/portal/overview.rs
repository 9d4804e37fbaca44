//! What surrounds every page, and the first page: where the customer stands, the most urgent first.

use std::collections::HashMap;

use app::port::{
    Attention, Frame, Home, InvoiceRow, PaymentMethodCard, Sections, SubscriptionCard,
};
use perennial::calendar::Timestamp;
use perennial::card::Expiry;
use perennial::catalog::Product;
use perennial::id::ProductId;
use perennial::invoice::{Invoice, InvoiceItem};
use perennial::money::Money;
use perennial::payment::{PaymentIntent, PaymentStatus};
use perennial::schedule::Schedule;
use perennial::subscription::{CollectionMethod, Status, Subscription};

use sqlx::AnyConnection;

use super::changing::new_price;
use super::refusing::{No, reason};
use super::rows::{self, Facts};
use super::{Refused, Visitor};
use crate::service::payment_methods::needs_method;
use crate::service::spans::running_usage;
use crate::store::document::{self, Column, Stored};
use crate::store::holdings::{self, Most};
use crate::store::nouns;
use crate::web::style::name_of;

/// The most subscriptions of one customer that are shown.
const SUBSCRIPTIONS_MAX: u32 = 50;
/// The most open invoices that are looked at.
const OPEN_INVOICES_MAX: u32 = 20;
/// How many invoices the first page shows.
const INVOICES_SHOWN: u32 = 3;
/// The most payment methods of one customer.
const METHODS_MAX: u32 = 50;
/// The most amounts that wait for one customer's next invoice.
const PENDING_MAX: u32 = 250;
/// How long an ended subscription is shown, in seconds.
const ENDED_SECONDS: i64 = 90 * 86_400;
/// A trial that ends within so many seconds asks for attention.
const TRIAL_SOON_SECONDS: i64 = 7 * 86_400;

/// All that is the customer's, as the first page needs it.
pub(super) struct Standing {
    pub subscriptions: Vec<Stored<Subscription>>,
    pub open: Vec<Invoice>,
    /// The newest, none where the merchant doesn't show them.
    pub invoices: Vec<InvoiceRow>,
    pub methods: Vec<PaymentMethodCard>,
    pub pending: Vec<InvoiceItem>,
    pub products: HashMap<ProductId, Product>,
    /// What was used of metered items so far.
    pub usage: Vec<perennial::subscription::Usage>,
    /// What was agreed with the merchant for a time.
    pub contracts: Vec<Schedule>,
}

impl Visitor {
    pub(super) async fn frame(&self) -> Result<Frame, No> {
        let (customer, rules) = (self.customer(), &self.visit.configuration);
        let merchant = &self.visit.merchant;
        let name = customer.name.clone().or_else(|| customer.email.clone());
        Ok(Frame {
            merchant_name: name_of(merchant).to_owned(),
            logo: merchant.theme.logo.clone(),
            logo_dark: merchant.theme.logo_dark.clone(),
            headline: rules.headline.clone(),
            return_url: self.visit.session.return_url.clone(),
            privacy_policy_url: rules.privacy_policy_url.clone(),
            terms_of_service_url: rules.terms_of_service_url.clone(),
            customer_name: name.unwrap_or_default(),
            customer_email: customer.email.clone(),
            customer_locale: customer.preferred_locales.first().cloned(),
            livemode: self.scope().livemode,
            simulated: self.visit.test_clock.as_ref().map(|own| own.frozen_time),
            sections: Sections {
                payment_methods: rules.features.payment_method_update,
                invoices: rules.features.invoice_history,
                details: !rules.features.customer_update.is_empty(),
            },
        })
    }

    pub(super) async fn home(&self) -> Result<Home, No> {
        let mut read = self.read().await?;
        let standing = self.standing(&mut read).await?;
        let intent = self.waiting_intent(&mut read, &standing.open).await?;
        let balance_rows = self.balance_rows(&mut read).await?;
        drop(read);
        let subscriptions = self.cards(&standing)?;
        let attention = self.attention(&standing, &subscriptions, intent.as_ref());
        let customer = self.customer();
        let balance = customer.currency.filter(|_| customer.balance_minor != 0);
        Ok(Home {
            now: self.now,
            attention,
            subscriptions,
            invoices: standing.invoices,
            payment_methods: standing.methods,
            details: self.details_of(customer),
            balance: balance.map(|currency| Money::new(customer.balance_minor, currency)),
            merchant_name: name_of(&self.visit.merchant).to_owned(),
            balance_rows,
        })
    }

    /// Reads everything, in a fixed number of statements.
    pub(super) async fn standing(&self, read: &mut AnyConnection) -> Result<Standing, No> {
        let history = self.features().invoice_history;
        let most = Most {
            subscriptions: SUBSCRIPTIONS_MAX,
            open: OPEN_INVOICES_MAX,
            invoices: if history { INVOICES_SHOWN } else { 0 },
            methods: METHODS_MAX,
            pending: PENDING_MAX,
        };
        let has = holdings::load(read, self.scope(), &self.customer().id, most).await?;
        let needed = needs_method(&has.subscriptions);
        let products = self.products(read, &has.subscriptions).await?;
        let usage = running_usage(read, self.scope(), &has.subscriptions).await?;
        let contracts = self.contracts(read, &has.subscriptions).await?;
        Ok(Standing {
            usage,
            contracts,
            methods: rows::methods(has.methods, self.customer(), needed),
            subscriptions: has.subscriptions,
            open: has.open.into_iter().map(|row| row.value).collect(),
            invoices: has.invoices.iter().map(|row| rows::invoice(row)).collect(),
            pending: has.pending.into_iter().map(|row| row.value).collect(),
            products,
        })
    }

    /// The products that the subscriptions stand on now or will.
    async fn products(
        &self,
        read: &mut AnyConnection,
        subscriptions: &[Stored<Subscription>],
    ) -> Result<HashMap<ProductId, Product>, No> {
        let mut ids: Vec<&ProductId> = Vec::new();
        for subscription in subscriptions {
            let now = subscription.items.iter().map(|item| &item.price.product);
            let later = subscription.scheduled_change.iter();
            let later = later.flat_map(|change| &change.items);
            let later = later.filter_map(|change| new_price(change).map(|price| &price.product));
            for id in now.chain(later) {
                if !ids.contains(&id) && ids.len() < nouns::PRODUCTS_BY_IDS_MAX {
                    ids.push(id);
                }
            }
        }
        self.products_by_id(read, &ids).await
    }

    pub(super) async fn products_by_id(
        &self,
        read: &mut AnyConnection,
        ids: &[&ProductId],
    ) -> Result<HashMap<ProductId, Product>, No> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let (sql, places) = if ids.len() <= nouns::FEW_PRODUCTS_MAX {
            (nouns::PRODUCTS_BY_IDS, nouns::FEW_PRODUCTS_MAX)
        } else {
            (nouns::MANY_PRODUCTS_BY_IDS, nouns::PRODUCTS_BY_IDS_MAX)
        };
        let mut filter: Vec<Column> = ids.iter().map(Column::text).collect();
        filter.resize(places, Column::text(""));
        let found: Vec<Stored<Product>> =
            document::select(read, self.scope(), sql, &filter).await?;
        let found = found
            .into_iter()
            .map(|row| (row.value.id.clone(), row.value));
        Ok(found.collect())
    }

    /// The cards: live ones first, newest first, then those that ended lately.
    fn cards(&self, standing: &Standing) -> Result<Vec<SubscriptionCard>, Refused> {
        let facts = self.facts(standing);
        let ended_after = self.now.0.saturating_sub(ENDED_SECONDS);
        let shown = |row: &&Stored<Subscription>| match row.ended_at {
            Some(ended) => ended.0 > ended_after,
            None => row.status != Status::IncompleteExpired,
        };
        let (over, live): (Vec<_>, Vec<_>) = standing
            .subscriptions
            .iter()
            .filter(shown)
            .partition(|row| row.status.is_final());
        live.into_iter()
            .chain(over)
            .map(|row| facts.card(row))
            .collect()
    }

    /// What cards are made of.
    pub(super) fn facts<'a>(&'a self, standing: &'a Standing) -> Facts<'a> {
        Facts {
            now: self.now,
            customer: self.customer(),
            features: self.features(),
            products: &standing.products,
            methods: &standing.methods,
            pending: &standing.pending,
            open: &standing.open,
            usage: &standing.usage,
            contracts: &standing.contracts,
        }
    }

    /// The intent of the invoice that is most in need, to tell a refusal from a question.
    async fn waiting_intent(
        &self,
        read: &mut AnyConnection,
        open: &[Invoice],
    ) -> Result<Option<PaymentIntent>, No> {
        let mut owed = open
            .iter()
            .filter(|invoice| invoice.amount_remaining_minor() > 0);
        let Some(intent) = owed
            .next_back()
            .and_then(|invoice| invoice.payment_intent.as_ref())
        else {
            return Ok(None);
        };
        let found: Option<Stored<PaymentIntent>> =
            document::load(read, self.scope(), intent.as_str()).await?;
        Ok(found.map(|found| found.value))
    }

    /// The most urgent thing.
    fn attention(
        &self,
        standing: &Standing,
        cards: &[SubscriptionCard],
        intent: Option<&PaymentIntent>,
    ) -> Option<Attention> {
        owed(&standing.open, intent)
            .or_else(|| self.trial(cards, true))
            .or_else(|| self.expiring(cards))
            .or_else(|| self.trial(cards, false))
    }

    /// A trial that ends soon, with or without something to pay with.
    fn trial(&self, cards: &[SubscriptionCard], unpayable: bool) -> Option<Attention> {
        let soon = self.now.0.saturating_add(TRIAL_SOON_SECONDS);
        let ending = cards.iter().filter_map(|card| {
            let at = card.trial_end.filter(|at| at.0 <= soon)?;
            let goes_on = card.cancel_at.is_none_or(|end| end > at);
            goes_on.then_some((at, card))
        });
        let (at, card) = ending
            .filter(|(_, card)| card.payment_method.is_none() == unpayable)
            .min_by_key(|(at, _)| *at)?;
        let subscription = card.id.clone();
        if unpayable {
            return Some(Attention::TrialEndsWithoutPaymentMethod { subscription, at });
        }
        let amount = card.next_payment.as_ref()?.amount;
        Some(Attention::TrialEnds {
            subscription,
            at,
            amount,
        })
    }

    /// A card that will not pay the next time it has to.
    fn expiring(&self, cards: &[SubscriptionCard]) -> Option<Attention> {
        cards.iter().find_map(|card| {
            let (next, method) = (card.next_payment.as_ref()?, card.payment_method.as_ref()?);
            let own = &method.method.card;
            let expiry = Expiry {
                year: own.exp_year,
                month: own.exp_month,
            };
            let dead = |at: Timestamp| {
                let then = at.civil();
                (i64::from(expiry.year), expiry.month) < (then.year, then.month)
            };
            dead(next.at).then(|| Attention::CardExpires {
                payment_method: Box::new(method.clone()),
                expired: dead(self.now),
            })
        })
    }
}

/// What is owed and not on its way: a failed charge first, then a question of the bank, then an
/// invoice to pay by hand; of each the oldest.
fn owed(open: &[Invoice], intent: Option<&PaymentIntent>) -> Option<Attention> {
    let owed: Vec<&Invoice> = open
        .iter()
        .rev()
        .filter(|invoice| invoice.amount_remaining_minor() > 0)
        .collect();
    let amount = |invoice: &Invoice| Money::new(invoice.amount_remaining_minor(), invoice.currency);
    let asks = |invoice: &Invoice| {
        intent.is_some_and(|intent| {
            intent.status == PaymentStatus::RequiresAction
                && invoice.payment_intent.as_ref() == Some(&intent.id)
        }) || invoice.last_payment_error.as_ref().is_some_and(needs_proof)
    };
    let failed = owed.iter().find_map(|invoice| {
        let error = invoice.last_payment_error.as_ref()?;
        (!asks(invoice)).then(|| Attention::PaymentFailed {
            invoice: invoice.id.clone(),
            amount: amount(invoice),
            reason: reason(error),
            retry_at: invoice.next_payment_attempt,
        })
    });
    let question = || {
        let invoice = owed.iter().find(|invoice| asks(invoice))?;
        Some(Attention::NeedsAuthentication {
            invoice: invoice.id.clone(),
            amount: amount(invoice),
        })
    };
    let by_hand = || {
        let sent = |invoice: &&&Invoice| {
            invoice.collection_method == CollectionMethod::SendInvoice
                && invoice.last_payment_error.is_none()
        };
        let invoice = owed.iter().find(sent)?;
        Some(Attention::InvoiceOpen {
            invoice: invoice.id.clone(),
            amount: amount(invoice),
            due_at: invoice.due_date,
        })
    };
    failed.or_else(question).or_else(by_hand)
}

/// Whether a decline only asks for the customer's proof.
fn needs_proof(decline: &perennial::payment::Decline) -> bool {
    let code = decline.decline_code.as_deref().unwrap_or(&decline.code);
    code == "authentication_required"
}
