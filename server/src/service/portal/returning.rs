//! A customer comes back from their bank: what became of it?

use app::port::{Added, Settled};
use app::refusal::Refusal;
use app::viewer::Viewer;
use perennial::id::{InvoiceId, PaymentIntentId, SetupIntentId};
use perennial::payment::{PaymentIntent, SetupIntent, SetupStatus};

use super::changing::settled;
use super::refusing::No;
use super::{PortalService, Visitor};
use crate::store::document::{self, Stored};

impl PortalService {
    /// What became of a payment that waited for the customer's proof, and of which invoice.
    ///
    /// # Errors
    /// As every method of the portal.
    pub async fn finish_payment(
        &self,
        viewer: &Viewer,
        id: &PaymentIntentId,
    ) -> Result<(Settled, Option<InvoiceId>), Refusal> {
        let finish = async { self.visitor(viewer).await?.finish_payment(id).await };
        finish.await.map_err(No::shown)
    }

    /// What became of a card that waited for the customer's proof ([`Refusal::Declined`] when the bank or the customer
    /// said no), and the invoice that was to be paid with it.
    pub async fn finish_setup(
        &self,
        viewer: &Viewer,
        id: &SetupIntentId,
        make_default: bool,
    ) -> (Result<Added, Refusal>, Option<InvoiceId>) {
        let begin = async {
            let visitor = self.visitor(viewer).await?;
            let intent = visitor.own_setup(id).await?;
            Ok((visitor, intent))
        };
        let (visitor, intent) = match begin.await.map_err(No::shown) {
            Ok(own) => own,
            Err(refusal) => return (Err(refusal), None),
        };
        let outcome = visitor.finish_setup(id, make_default).await;
        (outcome.map_err(No::shown), intent.invoice.clone())
    }
}

impl Visitor {
    async fn finish_payment(
        &self,
        id: &PaymentIntentId,
    ) -> Result<(Settled, Option<InvoiceId>), No> {
        let mut read = self.read().await?;
        let found: Option<Stored<PaymentIntent>> =
            document::load(&mut read, self.scope(), id.as_str()).await?;
        drop(read);
        let own = found.filter(|intent| intent.customer == self.customer().id);
        let invoice = own.ok_or(Refusal::NotFound)?.invoice.clone();
        let result = self.engine.finish_payment(self.scope(), id).await?;
        Ok((settled(result), invoice))
    }

    /// The customer's own set-up.
    async fn own_setup(&self, id: &SetupIntentId) -> Result<Stored<SetupIntent>, No> {
        let mut read = self.read().await?;
        let found: Option<Stored<SetupIntent>> =
            document::load(&mut read, self.scope(), id.as_str()).await?;
        drop(read);
        let customer = self.customer();
        let own = found.filter(|intent| intent.customer.as_ref() == Some(&customer.id));
        Ok(own.ok_or(Refusal::NotFound)?)
    }

    async fn finish_setup(&self, id: &SetupIntentId, make_default: bool) -> Result<Added, No> {
        let customer = self.customer();
        let (engine, scope) = (&self.engine, self.scope());
        let failed = self.failed().await?;
        let intent = engine.finish_setup_intent(scope, id).await?;
        match (intent.status, &intent.payment_method, &intent.challenge) {
            (SetupStatus::Succeeded, Some(method), _) => {
                let preferred = make_default || customer.default_payment_method.is_none();
                if preferred {
                    engine
                        .set_default_payment_method(scope, &customer.id, method)
                        .await?;
                }
                Ok(Added::Saved {
                    id: method.clone(),
                    charging: preferred && self.is_charging(&failed).await?,
                })
            }
            (SetupStatus::RequiresAction, _, Some(url)) => {
                Ok(Added::Challenge { url: url.clone() })
            }
            _ => Err(Refusal::WrongState.into()),
        }
    }
}
