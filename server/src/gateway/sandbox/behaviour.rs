//! What the sandbox's bank answers: a pure function of the card's behaviour and of what is asked.

use perennial::payment::Decline;

use crate::gateway::Usage;

/// How a test card behaves for ever. Kept with the card as text, see [`Behaviour::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Says yes to everything.
    Succeed,
    /// Pays; what is given back waits a while.
    RefundPends,
    /// Pays; what is given back comes back.
    RefundFails,
    /// Says no to everything, set-up included.
    Decline(Reason),
    /// Can be set up; says no to charges.
    DeclineCharge(Reason),
    /// Has expired; as soon as somebody tries to charge it, its bank's new card stands behind the same
    /// token, and the sandbox tells so.
    Reissue,
    /// Asks for proof until it was set up for payments without its holder.
    AuthenticateUnlessSetUp,
    /// Asks for proof of every charge, so that none succeeds without its holder.
    AuthenticateAlways,
    /// Was set up elsewhere: asks for proof only while its holder is here.
    AuthenticateOnSession,
    /// Asks for proof and says no all the same, set-up included.
    AuthenticateThenDecline(Reason),
    /// Asks for proof, can be set up, and says no to charges all the same.
    AuthenticateThenDeclineCharge(Reason),
}

/// Why the bank says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Generic,
    InsufficientFunds,
    LostCard,
    StolenCard,
    ExpiredCard,
    IncorrectCvc,
    ProcessingError,
    VelocityExceeded,
    Fraudulent,
}

const REASONS: &[Reason] = &[
    Reason::Generic,
    Reason::InsufficientFunds,
    Reason::LostCard,
    Reason::StolenCard,
    Reason::ExpiredCard,
    Reason::IncorrectCvc,
    Reason::ProcessingError,
    Reason::VelocityExceeded,
    Reason::Fraudulent,
];

impl Reason {
    /// Stripe's decline code.
    pub(super) const fn decline_code(self) -> &'static str {
        match self {
            Self::Generic => "generic_decline",
            Self::InsufficientFunds => "insufficient_funds",
            Self::LostCard => "lost_card",
            Self::StolenCard => "stolen_card",
            Self::ExpiredCard => "expired_card",
            Self::IncorrectCvc => "incorrect_cvc",
            Self::ProcessingError => "processing_error",
            Self::VelocityExceeded => "card_velocity_exceeded",
            Self::Fraudulent => "fraudulent",
        }
    }

    /// Stripe's error code: three reasons have one of their own.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::ExpiredCard | Self::IncorrectCvc | Self::ProcessingError => self.decline_code(),
            _ => "card_declined",
        }
    }

    pub(super) fn decline(self) -> Decline {
        decline(self.code(), self.decline_code())
    }
}

fn decline(code: &str, decline_code: &str) -> Decline {
    Decline {
        code: code.to_owned(),
        decline_code: Some(decline_code.to_owned()),
    }
}

impl Behaviour {
    /// The text that stands in the card's row.
    pub(super) fn code(self) -> String {
        match self {
            Self::Succeed => "succeed".to_owned(),
            Self::Reissue => "reissue".to_owned(),
            Self::RefundPends => "refund_pends".to_owned(),
            Self::RefundFails => "refund_fails".to_owned(),
            Self::AuthenticateUnlessSetUp => "authenticate_unless_set_up".to_owned(),
            Self::AuthenticateAlways => "authenticate_always".to_owned(),
            Self::AuthenticateOnSession => "authenticate_on_session".to_owned(),
            Self::Decline(reason) => format!("decline:{}", reason.decline_code()),
            Self::DeclineCharge(reason) => format!("decline_charge:{}", reason.decline_code()),
            Self::AuthenticateThenDecline(reason) => {
                format!("authenticate_then_decline:{}", reason.decline_code())
            }
            Self::AuthenticateThenDeclineCharge(reason) => {
                format!("authenticate_then_decline_charge:{}", reason.decline_code())
            }
        }
    }

    /// Reads what [`Behaviour::code`] wrote.
    pub(super) fn from_code(code: &str) -> Option<Self> {
        let (kind, reason) = code.split_once(':').unwrap_or((code, ""));
        let reason = REASONS
            .iter()
            .copied()
            .find(|known| known.decline_code() == reason);
        Some(match (kind, reason) {
            ("succeed", None) => Self::Succeed,
            ("reissue", None) => Self::Reissue,
            ("refund_pends", None) => Self::RefundPends,
            ("refund_fails", None) => Self::RefundFails,
            ("authenticate_unless_set_up", None) => Self::AuthenticateUnlessSetUp,
            ("authenticate_always", None) => Self::AuthenticateAlways,
            ("authenticate_on_session", None) => Self::AuthenticateOnSession,
            ("decline", Some(reason)) => Self::Decline(reason),
            ("decline_charge", Some(reason)) => Self::DeclineCharge(reason),
            ("authenticate_then_decline", Some(reason)) => Self::AuthenticateThenDecline(reason),
            ("authenticate_then_decline_charge", Some(reason)) => {
                Self::AuthenticateThenDeclineCharge(reason)
            }
            _ => return None,
        })
    }
}

/// What is asked of the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// To keep the card for this.
    SetUp(Usage),
    /// To pay.
    Charge {
        /// Whether the holder is here.
        on_session: bool,
    },
}

/// What the bank says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No(Decline),
    /// The holder must prove who they are first.
    Prove,
}

/// The bank's first answer. `set_up` says whether this card was set up for off-session payments.
pub(super) fn first_answer(behaviour: Behaviour, act: Act, set_up: bool) -> Answer {
    match (behaviour, act) {
        (Behaviour::Decline(reason), _) => Answer::No(reason.decline()),
        (Behaviour::DeclineCharge(reason), Act::Charge { .. }) => Answer::No(reason.decline()),
        (Behaviour::Reissue, Act::Charge { .. }) => Answer::No(Reason::ExpiredCard.decline()),
        (Behaviour::Reissue, Act::SetUp(_)) => Answer::Yes,
        (
            Behaviour::Succeed
            | Behaviour::RefundPends
            | Behaviour::RefundFails
            | Behaviour::DeclineCharge(_),
            _,
        )
        | (_, Act::SetUp(Usage::Attach)) => Answer::Yes,
        (Behaviour::AuthenticateOnSession, Act::SetUp(_) | Act::Charge { on_session: false }) => {
            Answer::Yes
        }
        (Behaviour::AuthenticateUnlessSetUp, Act::Charge { .. }) if set_up => Answer::Yes,
        (Behaviour::AuthenticateThenDeclineCharge(reason), Act::Charge { on_session: false })
            if set_up =>
        {
            Answer::No(reason.decline())
        }
        (_, Act::Charge { on_session: false }) => Answer::No(decline(
            "authentication_required",
            "authentication_required",
        )),
        (_, Act::SetUp(_) | Act::Charge { on_session: true }) => Answer::Prove,
    }
}

/// The bank's answer after the holder proved who they are, or did not.
pub(super) fn answer_after_proof(behaviour: Behaviour, act: Act, proved: bool) -> Answer {
    if !proved {
        let code = match act {
            Act::SetUp(_) => "setup_intent_authentication_failure",
            Act::Charge { .. } => "payment_intent_authentication_failure",
        };
        return Answer::No(Decline {
            code: code.to_owned(),
            decline_code: None,
        });
    }
    match (behaviour, act) {
        (Behaviour::AuthenticateThenDecline(reason), _)
        | (Behaviour::AuthenticateThenDeclineCharge(reason), Act::Charge { .. }) => {
            Answer::No(reason.decline())
        }
        _ => Answer::Yes,
    }
}

#[cfg(test)]
mod tests {
    //! The table of test cards, row by row.
    use super::*;

    const HERE: Act = Act::Charge { on_session: true };
    const AWAY: Act = Act::Charge { on_session: false };
    const LATER: Act = Act::SetUp(Usage::OffSession);

    /// `yes`, `prove`, or the codes of a refusal.
    fn said(answer: &Answer) -> String {
        match answer {
            Answer::Yes => "yes".to_owned(),
            Answer::Prove => "prove".to_owned(),
            Answer::No(no) => {
                let more = no.decline_code.as_ref().filter(|more| **more != no.code);
                more.map_or_else(|| no.code.clone(), |more| format!("{} {more}", no.code))
            }
        }
    }

    #[test]
    fn first_answers() {
        let check = |behaviour: Behaviour, act: Act, fresh: &str, set_up: &str| {
            assert_eq!(
                said(&first_answer(behaviour, act, false)),
                fresh,
                "{behaviour:?} {act:?}"
            );
            assert_eq!(
                said(&first_answer(behaviour, act, true)),
                set_up,
                "{behaviour:?} {act:?}"
            );
        };
        check(Behaviour::Succeed, LATER, "yes", "yes");
        check(Behaviour::Succeed, AWAY, "yes", "yes");
        let poor = "card_declined insufficient_funds";
        check(
            Behaviour::Decline(Reason::InsufficientFunds),
            LATER,
            poor,
            poor,
        );
        check(
            Behaviour::Decline(Reason::ExpiredCard),
            HERE,
            "expired_card",
            "expired_card",
        );
        let generic = "card_declined generic_decline";
        check(
            Behaviour::DeclineCharge(Reason::Generic),
            LATER,
            "yes",
            "yes",
        );
        check(
            Behaviour::DeclineCharge(Reason::Generic),
            AWAY,
            generic,
            generic,
        );
        let proof = "authentication_required";
        check(Behaviour::AuthenticateUnlessSetUp, LATER, "prove", "prove");
        check(
            Behaviour::AuthenticateUnlessSetUp,
            Act::SetUp(Usage::Attach),
            "yes",
            "yes",
        );
        check(Behaviour::AuthenticateUnlessSetUp, HERE, "prove", "yes");
        check(Behaviour::AuthenticateUnlessSetUp, AWAY, proof, "yes");
        check(Behaviour::AuthenticateAlways, HERE, "prove", "prove");
        check(Behaviour::AuthenticateAlways, AWAY, proof, proof);
        check(Behaviour::AuthenticateOnSession, LATER, "yes", "yes");
        check(Behaviour::AuthenticateOnSession, HERE, "prove", "prove");
        check(Behaviour::AuthenticateOnSession, AWAY, "yes", "yes");
        check(
            Behaviour::AuthenticateThenDecline(Reason::Generic),
            AWAY,
            proof,
            proof,
        );
        let late = Behaviour::AuthenticateThenDeclineCharge(Reason::InsufficientFunds);
        check(late, HERE, "prove", "prove");
        check(late, AWAY, proof, poor);
    }

    #[test]
    fn answers_after_proof() {
        let check = |behaviour: Behaviour, act: Act, proved: bool, expected: &str| {
            let answer = answer_after_proof(behaviour, act, proved);
            assert_eq!(said(&answer), expected, "{behaviour:?} {act:?} {proved}");
        };
        let poor = "card_declined insufficient_funds";
        let late = Behaviour::AuthenticateThenDeclineCharge(Reason::InsufficientFunds);
        check(Behaviour::AuthenticateAlways, HERE, true, "yes");
        check(
            Behaviour::AuthenticateAlways,
            HERE,
            false,
            "payment_intent_authentication_failure",
        );
        check(
            Behaviour::AuthenticateAlways,
            LATER,
            false,
            "setup_intent_authentication_failure",
        );
        check(late, LATER, true, "yes");
        check(late, HERE, true, poor);
        let never = Behaviour::AuthenticateThenDecline(Reason::InsufficientFunds);
        check(never, LATER, true, poor);
    }

    #[test]
    fn behaviours_come_back_from_their_rows() {
        let mut all = vec![
            Behaviour::Succeed,
            Behaviour::Reissue,
            Behaviour::RefundPends,
            Behaviour::RefundFails,
            Behaviour::AuthenticateUnlessSetUp,
            Behaviour::AuthenticateAlways,
            Behaviour::AuthenticateOnSession,
        ];
        for reason in REASONS {
            all.push(Behaviour::Decline(*reason));
            all.push(Behaviour::DeclineCharge(*reason));
            all.push(Behaviour::AuthenticateThenDecline(*reason));
            all.push(Behaviour::AuthenticateThenDeclineCharge(*reason));
        }
        for behaviour in all {
            assert_eq!(Behaviour::from_code(&behaviour.code()), Some(behaviour));
        }
        assert_eq!(Behaviour::from_code("decline"), None);
        assert_eq!(Behaviour::from_code("decline:because"), None);
    }
}
