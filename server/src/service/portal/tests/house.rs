//! A merchant with a portal, and customers who visit it.

use std::sync::Arc;

use app::viewer::Viewer;
use perennial::calendar::{Cadence, Interval};
use perennial::catalog::Price;
use perennial::id::{CustomerId, PortalConfigurationId};
use perennial::portal::{
    AdjustableQuantity, CancelMode, CancelRules, CustomerField, Features, PauseRules,
    PortalConfiguration, UpdateProduct, UpdateRules,
};
use perennial::subscription::{Feedback, ProrationBehavior};

use crate::service::portal::PortalService;
use crate::service::portal_sessions::{NewPortalSession, Opened, Visit};
use crate::service::tests::world::World;
use crate::store::Store;
use crate::store::document::Stored;
use crate::web::visit::viewer;

pub(crate) fn monthly() -> Cadence {
    Cadence {
        interval: Interval::Month,
        interval_count: 1,
    }
}

pub(crate) struct House {
    pub(crate) world: World,
    /// 20 dollars a month.
    pub(crate) basic: Price,
    /// 50 dollars a month.
    pub(crate) pro: Price,
    pub(crate) rules: PortalConfigurationId,
}

/// Everything allowed.
pub(crate) fn all_features(prices: &[&Price]) -> Features {
    Features {
        customer_update: vec![
            CustomerField::Address,
            CustomerField::Email,
            CustomerField::Name,
            CustomerField::Phone,
            CustomerField::TaxId,
        ],
        invoice_history: true,
        payment_method_update: true,
        subscription_cancel: Some(CancelRules {
            mode: CancelMode::AtPeriodEnd,
            proration_behavior: ProrationBehavior::None,
            reasons: vec![Feedback::TooExpensive, Feedback::Other],
        }),
        subscription_pause: Some(PauseRules {
            options: vec![monthly()],
        }),
        subscription_update: Some(UpdateRules {
            price: true,
            quantity: true,
            promotion_code: false,
            products: vec![UpdateProduct {
                product: prices[0].product.clone(),
                prices: prices.iter().map(|price| price.id.clone()).collect(),
                adjustable_quantity: Some(AdjustableQuantity {
                    minimum: 1,
                    maximum: Some(50),
                }),
            }],
            proration_behavior: ProrationBehavior::AlwaysInvoice,
            schedule_at_period_end: Vec::new(),
        }),
    }
}

impl House {
    pub(crate) async fn new(store: Store) -> Self {
        Self::seeded(store, 7).await
    }

    pub(crate) async fn seeded(store: Store, seed: u128) -> Self {
        let world = World::seeded(store, seed).await;
        let basic = world.price(2_000, monthly()).await;
        let pro = world.price(5_000, monthly()).await;
        let rules = all_features(&[&basic, &pro]);
        let rules = configure(&world, rules).await.value.id;
        Self {
            world,
            basic,
            pro,
            rules,
        }
    }

    /// Lets a customer in, through a link.
    pub(crate) async fn visit(&self, customer: &CustomerId) -> Visit {
        self.visit_under(customer, &self.rules).await
    }

    pub(crate) async fn visit_under(
        &self,
        customer: &CustomerId,
        rules: &PortalConfigurationId,
    ) -> Visit {
        let engine = &self.world.engine;
        let new = NewPortalSession {
            customer: customer.clone(),
            configuration: Some(rules.clone()),
            return_url: Some("https://halden.example/account".to_owned()),
            locale: None,
            flow: None,
        };
        let (_, link) = engine
            .create_portal_session(&self.world.scope, new)
            .await
            .unwrap();
        let Opened::Visit { secret, .. } = engine.open_link(&link).await.unwrap() else {
            panic!("a fresh link is dead");
        };
        engine.visit(&secret).await.unwrap().unwrap()
    }

    /// The portal as this customer has it, who is let in anew.
    pub(crate) async fn enter(&self, customer: &CustomerId) -> (PortalService, Viewer) {
        let visit = self.visit(customer).await;
        let viewer = viewer(&visit);
        // Without the visit that was seen: every call reads it as it is then.
        (PortalService::new(self.world.engine.clone(), None), viewer)
    }

    /// The same with other rules.
    pub(crate) async fn enter_under(
        &self,
        customer: &CustomerId,
        features: Features,
    ) -> (PortalService, Viewer) {
        let rules = configure(&self.world, features).await;
        let visit = self.visit_under(customer, &rules.id).await;
        let viewer = viewer(&visit);
        let seen = Some(Arc::new(visit));
        (PortalService::new(self.world.engine.clone(), seen), viewer)
    }
}

pub(crate) async fn configure(world: &World, features: Features) -> Stored<PortalConfiguration> {
    let now = world.engine.now();
    world
        .insert(PortalConfiguration {
            id: PortalConfigurationId::new(&mut world.engine.ids()),
            name: None,
            active: true,
            is_default: false,
            default_return_url: None,
            headline: None,
            privacy_policy_url: None,
            terms_of_service_url: None,
            features,
            metadata: perennial::metadata::Metadata::default(),
            created: now,
            updated: now,
        })
        .await
}
