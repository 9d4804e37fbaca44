//! Alerts: told once for each customer whose usage reaches a mark.

use perennial::calendar::{Period, Timestamp};
use perennial::customer::Customer;
use perennial::decimal::Decimal12;
use perennial::id::{BillingAlertId, CustomerId, MeterId};
use perennial::usage::{Alert, AlertStatus, Meter};

use super::ALERT;
use super::News;
use crate::rendering;
use crate::service::usage::Asked;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, Stored};
use crate::store::failure::Place;
use crate::store::{Scope, nouns};

/// The longest title, in characters (Stripe: 256).
const TITLE_CHARS_MAX: usize = 256;

/// An alert to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// For the merchant's eyes.
    pub title: String,
    /// What is watched.
    pub meter: MeterId,
    /// Only this customer.
    pub customer: Option<CustomerId>,
    /// The mark.
    pub gte: i64,
}

impl Engine {
    /// Makes an alert. It watches usage from now on.
    ///
    /// # Errors
    /// Names the first field that can't stand.
    pub async fn create_alert(
        &self,
        scope: &Scope,
        new: NewAlert,
    ) -> Result<Stored<Alert>, Refused> {
        if new.title.is_empty() || new.title.chars().count() > TITLE_CHARS_MAX {
            let message = format!("Invalid string: must have 1 to {TITLE_CHARS_MAX} characters.");
            return Err(Refused::invalid("title", message));
        }
        let (meter, param) = (new.meter.as_str(), "usage_threshold[meter]");
        self.find_named::<Meter>(scope, meter, param).await?;
        if let Some(customer) = &new.customer {
            let param = "usage_threshold[filters][0][customer]";
            self.find_named::<Customer>(scope, customer.as_str(), param)
                .await?;
        }
        let now = self.now();
        let alert = Alert {
            id: BillingAlertId::new(&mut self.ids()),
            title: new.title,
            meter: new.meter,
            customer: new.customer,
            gte: new.gte,
            since: now,
            status: AlertStatus::Active,
            created: now,
        };
        self.create_untold(scope, &alert).await
    }

    /// Lets an alert watch or not. One that is activated watches usage from now on, and tells again.
    ///
    /// # Errors
    /// When it is not there, archived, or as it is wanted already.
    pub async fn turn_alert(
        &self,
        scope: &Scope,
        id: &BillingAlertId,
        status: AlertStatus,
    ) -> Result<Stored<Alert>, Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let found = document::load::<Alert>(tx.connection(), scope, id.as_str()).await?;
            let mut alert = found
                .filter(|alert| alert.status != AlertStatus::Archived)
                .ok_or_else(|| Refused::not_found("billing.alert", id.as_str()))?;
            if alert.status == status {
                return Err(Refused::State {
                    code: None,
                    message: "The alert is in this state already.".to_owned(),
                });
            }
            alert.value.status = status;
            if status == AlertStatus::Active {
                alert.value.since = self.now();
            }
            document::update(tx.connection(), scope, &mut alert).await?;
            tx.commit().await?;
            Ok(alert)
        })
        .await
    }

    /// An alert, unless it is archived.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn find_alert(&self, scope: &Scope, id: &BillingAlertId) -> Result<Alert, Refused> {
        let alert = self.find::<Alert>(scope, id.as_str()).await?.value;
        if alert.status == AlertStatus::Archived {
            return Err(Refused::not_found("billing.alert", id.as_str()));
        }
        Ok(alert)
    }

    /// Looks at what has been used since this was asked last, tells of marks that were reached, and
    /// bills what has reached a threshold. A meter whose alerts can't be read is set aside.
    /// A worker calls it; the customers that it answers with have used something.
    ///
    /// # Errors
    /// When the database fails; the news is kept for the next look then.
    pub async fn look_at_usage(&self) -> Result<Vec<News>, Refused> {
        let news = self.metering.take_news();
        if let Err(error) = self.look_at_news(&news).await {
            self.metering.tell(news.into_iter());
            return Err(error);
        }
        Ok(news)
    }

    async fn look_at_news(&self, news: &[News]) -> Result<(), Refused> {
        let mut places: Vec<(&Scope, &str)> = news
            .iter()
            .map(|one| (&one.scope, one.meter.as_str()))
            .collect();
        places.sort_by(|one, other| {
            (one.0.merchant.as_str(), one.0.livemode, one.1).cmp(&(
                other.0.merchant.as_str(),
                other.0.livemode,
                other.1,
            ))
        });
        places.dedup();
        if places.is_empty() {
            return Ok(());
        }
        let mut looking = self.looking(ALERT).await?;
        for (scope, meter) in places {
            let customers: Vec<&str> = news
                .iter()
                .filter(|one| one.scope == *scope && one.meter == meter)
                .map(|one| one.customer.as_str())
                .collect();
            let looked = self.watch(scope, meter, &customers).await;
            looking.note(Place::new(scope, meter), looked)?;
            Box::pin(self.watch_thresholds(scope, &customers)).await?;
        }
        looking.write().await
    }

    async fn watch(&self, scope: &Scope, meter: &str, customers: &[&str]) -> Result<(), Refused> {
        let filter = [Column::text(meter)];
        let alerts: Vec<Stored<Alert>> = {
            let mut read = self.store.read().await?;
            document::select(&mut read, scope, nouns::ALERTS_OF_METER, &filter).await?
        };
        for alert in alerts {
            self.compare(scope, &alert, customers).await?;
        }
        Ok(())
    }

    /// Compares what customers used with one alert.
    pub(super) async fn compare(
        &self,
        scope: &Scope,
        alert: &Alert,
        customers: &[&str],
    ) -> Result<(), Refused> {
        {
            let watched = customers.iter().filter(|customer| {
                alert
                    .customer
                    .as_ref()
                    .is_none_or(|only| only.as_str() == **customer)
            });
            let asked: Vec<Asked> = watched
                .filter_map(|customer| {
                    Some(Asked {
                        meter: alert.meter.clone(),
                        customer: CustomerId::parse(customer).ok()?,
                        period: Period {
                            start: alert.since,
                            end: Timestamp::MAX,
                        },
                    })
                })
                .collect();
            let counted = self.usage_of_many(scope, &asked).await?;
            let mark = Decimal12::from_integer(alert.gte);
            for (one, counted) in asked.iter().zip(counted) {
                let used = counted.billable()?;
                if used >= mark {
                    self.tell_alert(scope, alert, &one.customer, used).await?;
                }
            }
        }
        Ok(())
    }

    /// Tells of a mark, once.
    async fn tell_alert(
        &self,
        scope: &Scope,
        alert: &Alert,
        customer: &CustomerId,
        used: Decimal12,
    ) -> Result<(), Refused> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let fresh = sqlx::query(
            "insert into billing_alert_told (merchant, livemode, alert, since, watched, created) \
             values ($1, $2, $3, $4, $5, $6) on conflict (merchant, livemode, alert, since, watched) do nothing",
        )
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(alert.id.as_str())
        .bind(alert.since.0)
        .bind(customer.as_str())
        .bind(now.0)
        .execute(tx.connection())
        .await?;
        if fresh.rows_affected() == 1 {
            let object = rendering::alert_triggered(alert, customer, used, now, scope.livemode);
            self.emit(
                tx.connection(),
                scope,
                "billing.alert.triggered",
                object,
                None,
            )
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
