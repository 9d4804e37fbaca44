//! The sandbox's refunds. Two of Stripe's test cards have their own way: one's refunds wait until
//! they are asked after, the other's go well and come back when they are asked after.

use perennial::id::RefundId;
use perennial::refund::{RefundOutcome, RefundStatus};
use sqlx::Row;

use super::Sandbox;
use super::behaviour::Behaviour;
use super::book;
use crate::gateway::{GatewayError, IDEMPOTENCY_KEY_BYTES_MAX, RefundRequest, Scope};

const INSERT: &str = "
    insert into sandbox_refund (merchant, livemode, idempotency_key, id, charge, amount_minor,
        request, status, created)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    on conflict (merchant, livemode, idempotency_key) do nothing";
const SELECT: &str = "
    select id, charge, request, status from sandbox_refund
    where merchant = $1 and livemode = $2 and idempotency_key = $3";
const CHANGE: &str = "
    update sandbox_refund set status = $4
    where merchant = $1 and livemode = $2 and idempotency_key = $3 and status = $5";
const GIVEN_BACK: &str = "
    select cast(coalesce(sum(amount_minor), 0) as bigint) as amount from sandbox_refund
    where merchant = $1 and livemode = $2 and charge = $3 and status <> 'failed'";
const CHARGE: &str = "
    select a.amount_minor, a.currency, c.behaviour
    from sandbox_attempt as a
    join sandbox_card as c
        on c.merchant = a.merchant and c.livemode = a.livemode and c.token = a.token
    where a.merchant = $1 and a.livemode = $2 and a.id = $3 and a.kind = 'charge'
        and a.status = 'succeeded'";

/// A refund as it is kept.
struct Kept {
    id: String,
    charge: String,
    request: String,
    status: RefundStatus,
}

impl Kept {
    fn outcome(&self) -> RefundOutcome {
        let failed = self.status == RefundStatus::Failed;
        RefundOutcome {
            refund: self.id.clone(),
            status: self.status,
            failure_reason: failed.then(|| "expired_or_canceled_card".to_owned()),
        }
    }
}

impl Sandbox {
    /// Gives back once for each key.
    pub(super) async fn refund_once(
        &self,
        scope: &Scope,
        request: &RefundRequest,
    ) -> Result<RefundOutcome, GatewayError> {
        let key = request.idempotency_key.as_str();
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
            return Err(GatewayError::Invalid(
                "an idempotency key has 1 to 255 bytes",
            ));
        }
        let money = request.amount;
        if money.minor <= 0 {
            return Err(GatewayError::Invalid("a refund needs an amount above zero"));
        }
        let hash = format!("{} {} {}", request.charge, money.minor, money.currency);
        if let Some(kept) = self.kept_refund(scope, key).await? {
            return replay(&kept, &hash);
        }
        let Some((amount, currency, behaviour)) = self.paid(scope, &request.charge).await? else {
            return Err(GatewayError::Invalid("no such charge"));
        };
        if currency != money.currency.lower() {
            return Err(GatewayError::Invalid("the charge was in another currency"));
        }
        let status = match behaviour {
            Behaviour::RefundPends => RefundStatus::Pending,
            _ => RefundStatus::Succeeded,
        };
        let inner = &*self.0;
        let mut tx = inner.store.begin().await.map_err(book::unknown)?;
        let row = sqlx::query(GIVEN_BACK)
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(request.charge.as_str())
            .fetch_one(tx.connection())
            .await
            .map_err(book::lost)?;
        let given: i64 = row.try_get("amount").map_err(book::lost)?;
        if given.saturating_add(money.minor) > amount {
            return Err(GatewayError::Invalid("more than is left of the charge"));
        }
        sqlx::query(INSERT)
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(key.to_owned())
            .bind(String::from(RefundId::from_random(inner.entropy.bits())))
            .bind(request.charge.as_str())
            .bind(money.minor)
            .bind(hash.as_str())
            .bind(status_text(status))
            .bind(inner.clock.now().0)
            .execute(tx.connection())
            .await
            .map_err(book::lost)?;
        tx.commit().await.map_err(book::unknown)?;
        // Somebody else may have been faster with the same key.
        let kept = self.kept_refund(scope, key).await?;
        let kept = kept.ok_or_else(|| GatewayError::Unknown("the refund is gone".to_owned()))?;
        replay(&kept, &hash)
    }

    /// What became of a refund. Being asked after lets time pass for it.
    pub(super) async fn refund_by_key(
        &self,
        scope: &Scope,
        key: &str,
    ) -> Result<Option<RefundOutcome>, GatewayError> {
        let Some(mut kept) = self.kept_refund(scope, key).await? else {
            return Ok(None);
        };
        let behaviour = self.paid(scope, &kept.charge).await?.map(|(_, _, own)| own);
        let next = match (kept.status, behaviour) {
            (RefundStatus::Pending, _) => RefundStatus::Succeeded,
            (RefundStatus::Succeeded, Some(Behaviour::RefundFails)) => RefundStatus::Failed,
            (status, _) => status,
        };
        if next != kept.status {
            let mut tx = self.0.store.begin().await.map_err(book::unknown)?;
            sqlx::query(CHANGE)
                .bind(scope.merchant.as_str())
                .bind(scope.mode())
                .bind(key.to_owned())
                .bind(status_text(next))
                .bind(status_text(kept.status))
                .execute(tx.connection())
                .await
                .map_err(book::lost)?;
            tx.commit().await.map_err(book::unknown)?;
            kept.status = next;
        }
        Ok(Some(kept.outcome()))
    }

    async fn kept_refund(&self, scope: &Scope, key: &str) -> Result<Option<Kept>, GatewayError> {
        let mut connection = self.0.store.read().await.map_err(book::unknown)?;
        let row = sqlx::query(SELECT)
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(key.to_owned())
            .fetch_optional(&mut *connection)
            .await
            .map_err(book::lost)?;
        let Some(row) = row else { return Ok(None) };
        let text = |column: &str| -> Result<String, GatewayError> {
            row.try_get(column).map_err(book::lost)
        };
        Ok(Some(Kept {
            id: text("id")?,
            charge: text("charge")?,
            request: text("request")?,
            status: match text("status")?.as_str() {
                "succeeded" => RefundStatus::Succeeded,
                "failed" => RefundStatus::Failed,
                _ => RefundStatus::Pending,
            },
        }))
    }

    /// What a charge took, in which currency, and how its card behaves.
    async fn paid(
        &self,
        scope: &Scope,
        charge: &str,
    ) -> Result<Option<(i64, String, Behaviour)>, GatewayError> {
        let mut connection = self.0.store.read().await.map_err(book::unknown)?;
        let row = sqlx::query(CHARGE)
            .bind(scope.merchant.as_str())
            .bind(scope.mode())
            .bind(charge.to_owned())
            .fetch_optional(&mut *connection)
            .await
            .map_err(book::lost)?;
        let Some(row) = row else { return Ok(None) };
        let behaviour: String = row.try_get("behaviour").map_err(book::lost)?;
        let behaviour = Behaviour::from_code(&behaviour);
        let behaviour = behaviour.ok_or_else(|| book::damaged("behaviour"))?;
        let amount = row.try_get("amount_minor").map_err(book::lost)?;
        let currency = row.try_get("currency").map_err(book::lost)?;
        Ok(Some((amount, currency, behaviour)))
    }
}

fn replay(kept: &Kept, hash: &str) -> Result<RefundOutcome, GatewayError> {
    if kept.request == hash {
        Ok(kept.outcome())
    } else {
        Err(GatewayError::KeyReused)
    }
}

const fn status_text(status: RefundStatus) -> &'static str {
    match status {
        RefundStatus::Succeeded => "succeeded",
        RefundStatus::Failed | RefundStatus::Canceled => "failed",
        RefundStatus::Pending => "pending",
    }
}
