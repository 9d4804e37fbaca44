//! Errors in Stripe's shape: `{"error": {"type", "code", "message", "param", …}}`.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::rendering::decline_message;
use crate::service::Refused;
use crate::store::StoreError;

/// What an API call is answered with when it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// Stripe's `type`.
    pub kind: Kind,
    /// Stripe's `code`.
    pub code: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
    /// The parameter, in bracket form.
    pub param: Option<String>,
    /// What the bank said.
    pub decline_code: Option<String>,
    /// Whether anything may have been done. If not, an idempotency key stays free.
    pub began: bool,
}

/// Stripe's error types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Api,
    /// The card's.
    Card,
    /// An idempotency key that was used for something else.
    Idempotency,
    /// The request's.
    InvalidRequest,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "api_error",
            Self::Card => "card_error",
            Self::Idempotency => "idempotency_error",
            Self::InvalidRequest => "invalid_request_error",
        }
    }
}

impl Problem {
    /// A request that can't be carried out as it stands.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: Kind::InvalidRequest,
            code: None,
            message: message.into(),
            param: None,
            decline_code: None,
            began: false,
        }
    }

    /// About a parameter.
    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// With one of Stripe's codes.
    #[must_use]
    pub fn coded(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With another HTTP status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// There is no such thing for this merchant and mode.
    #[must_use]
    pub fn no_such(kind: &str, id: &str, param: Option<String>) -> Self {
        let status = match param {
            Some(_) => StatusCode::BAD_REQUEST,
            None => StatusCode::NOT_FOUND,
        };
        let words = kind.rsplit('.').next().unwrap_or(kind).replace('_', " ");
        let shown: String = id.chars().take(80).collect();
        Self::invalid(format!("No such {words}: '{shown}'"))
            .coded("resource_missing")
            .about(param.unwrap_or_else(|| "id".to_owned()))
            .status(status)
    }

    /// The database does not answer, not in time, or can't write.
    #[must_use]
    pub fn out_of_reach() -> Self {
        Self {
            message: "The database can't be read or written right now. Nothing is charged twice; try again in a \
                      moment, with the same idempotency key."
                .to_owned(),
            ..Self::internal().status(StatusCode::SERVICE_UNAVAILABLE)
        }
    }

    /// Something of ours broke. What it was stands in the log, not in the answer.
    #[must_use]
    pub fn internal() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: Kind::Api,
            code: None,
            message:
                "Something went wrong on our side. Nothing is charged twice; look at the object \
                      before you try again with another idempotency key."
                    .to_owned(),
            param: None,
            decline_code: None,
            began: true,
        }
    }

    /// The JSON body.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut error = Map::new();
        let mut put = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                error.insert(key.to_owned(), value.into());
            }
        };
        put("type", Some(self.kind.name()));
        put("code", self.code.as_deref());
        put("message", Some(&self.message));
        put("param", self.param.as_deref());
        put("decline_code", self.decline_code.as_deref());
        let mut body = Map::new();
        body.insert("error".to_owned(), Value::Object(error));
        Value::Object(body)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Refused::Store(error).into()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound { kind, id, param } => Self::no_such(kind, &id, param),
            Refused::Invalid {
                param,
                code,
                message,
            } => {
                let problem = Self::invalid(message).about(param);
                Self {
                    code: code.map(str::to_owned),
                    ..problem
                }
            }
            Refused::State { code, message } => Self {
                code: code.map(str::to_owned),
                ..Self::invalid(message)
            },
            Refused::Card { decline, param } => Self {
                status: StatusCode::PAYMENT_REQUIRED,
                kind: Kind::Card,
                message: decline_message(&decline).to_owned(),
                param: param.map(str::to_owned),
                decline_code: decline.decline_code,
                code: Some(decline.code),
                began: true,
            },
            Refused::NotAllowed(message) => Self::invalid(message),
            Refused::Stale => {
                Self::invalid("What was confirmed is no longer what it would cost. Ask again.")
                    .status(StatusCode::CONFLICT)
            }
            Refused::Busy => Self::invalid(
                "This object is being changed by another request right now. Nothing was changed by \
                 this one; try again.",
            )
            .coded("lock_timeout")
            .status(StatusCode::TOO_MANY_REQUESTS),
            Refused::TooLarge => {
                Self::invalid("An amount is too large to be billed.").coded("amount_too_large")
            }
            Refused::Store(StoreError::Exists { kind, id }) => {
                Self::invalid(format!("{kind} {id} exists already."))
                    .coded("resource_already_exists")
            }
            // Others were faster again and again, or once where nobody decides again: nothing was changed.
            Refused::Store(error) if error.is_conflict() => Refused::Busy.into(),
            broken => {
                tracing::error!(error = %broken, "an API call failed");
                match broken.is_outage() {
                    true => Self::out_of_reach(),
                    false => Self::internal(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_says_becomes_an_answer_that_tells_what_to_do() {
        let conflict = StoreError::Conflict {
            kind: "customer",
            id: "cus_1".to_owned(),
        };
        let lost = || sqlx::Error::PoolTimedOut;
        for (error, status, code) in [
            (conflict, 429, Some("lock_timeout")),
            (StoreError::Database(lost()), 503, None),
            (StoreError::Commit(std::sync::Arc::new(lost())), 503, None),
            (
                StoreError::Unreadable {
                    kind: "customer",
                    id: "cus_1".to_owned(),
                    reason: "torn".to_owned(),
                },
                500,
                None,
            ),
        ] {
            let shown = error.to_string();
            let problem = Problem::from(error);
            assert_eq!(
                (problem.status.as_u16(), problem.code.as_deref()),
                (status, code),
                "{shown}"
            );
        }
    }
}
