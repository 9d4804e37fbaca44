//! Whatever happens to an invoice, in whatever order, the transfers say what its documents say.

use super::{Account, Cause};
use super::{
    Around, Credited, GivenBack, Standing, Sums, Transfer, Way, adjusted, credit_voided, credited,
    expected, finalized, overpaid, paid, refunded, voided, written_off,
};
use crate::calendar::{Period, Timestamp};
use crate::currency::Currency;
use crate::customer::Customer;
use crate::fixture::{customer, line, rate};
use crate::invoice::{BillingReason, Draft, Invoice, InvoiceStatus, LineDraft, draft};
use crate::quote::Counter;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000);

fn drafted(customer: &Customer, amount_minor: i64, inclusive: bool) -> Invoice {
    let mut line = line("x", amount_minor);
    line.tax_rates = vec![rate("vat", "19", inclusive)];
    let input = Draft {
        customer,
        subscription: None,
        currency: Currency::USD,
        billing_reason: BillingReason::Manual,
        lines: vec![LineDraft {
            line,
            discounts: Vec::new(),
        }],
        pending: &[],
        period: Period {
            start: NOW,
            end: NOW,
        },
        at: NOW,
    };
    draft(input, &mut Counter(0)).unwrap()
}

#[test]
fn numbers_name_accounts_and_causes() {
    for account in Account::ALL {
        assert_eq!(Account::of_number(account.number()), Some(account));
    }
    for cause in Cause::ALL {
        assert_eq!(Cause::of_number(cause.number()), Some(cause));
    }
    assert_eq!(Account::of_number(0), None);
    assert_eq!(Cause::of_number(0), None);
}

/// Something that may happen. Amounts are permilles of what is possible.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pay(u16, bool),
    PayTooMuch(u16),
    Credit(u16),
    UncreditLast,
    GiveBack(u16, u16, u16),
    Refund(u16, bool),
    WriteOff,
    Void,
}

fn step() -> impl Strategy<Value = Step> {
    let part = 1..=1000_u16;
    prop_oneof![
        (part.clone(), any::<bool>()).prop_map(|(part, outside)| Step::Pay(part, outside)),
        part.clone().prop_map(Step::PayTooMuch),
        part.clone().prop_map(Step::Credit),
        Just(Step::UncreditLast),
        (0..=300_u16, 0..=300_u16, 0..=300_u16).prop_map(|(a, b, c)| Step::GiveBack(a, b, c)),
        (part, any::<bool>()).prop_map(|(part, promised)| Step::Refund(part, promised)),
        Just(Step::WriteOff),
        Just(Step::Void),
    ]
}

fn share(amount: i64, permille: u16) -> i64 {
    amount * i64::from(permille) / 1000
}

/// An invoice with all that stands about it.
struct World {
    invoice: Invoice,
    customer: Customer,
    transfers: Vec<Transfer>,
    around: Around,
    notes: Vec<Credited>,
    overpaid: i64,
    given: i64,
}

impl World {
    fn step(&mut self, step: Step) {
        let live = matches!(
            self.invoice.status,
            InvoiceStatus::Open | InvoiceStatus::Uncollectible
        );
        let rest = self.invoice.amount_remaining_minor();
        match step {
            Step::Pay(part, outside) => self.pay(share(rest, part), outside, live),
            Step::PayTooMuch(part) => {
                let amount = i64::from(part);
                self.transfers
                    .extend(overpaid(&self.invoice, amount, Way::Gateway("pi_over"), NOW).unwrap());
                self.around.taken_minor += i128::from(amount);
                self.overpaid += amount;
            }
            Step::Credit(part) if live => self.credit(share(rest, part)),
            Step::UncreditLast if live => self.uncredit(),
            Step::GiveBack(a, b, c) if self.invoice.status == InvoiceStatus::Paid => {
                self.give_back([a, b, c]);
            }
            Step::Refund(part, promised) => {
                let amount = i64::from(part);
                let given = GivenBack {
                    customer: &self.customer.id,
                    invoice: Some(&self.invoice.id),
                    refund: "re_1",
                    amount_minor: amount,
                    promised_minor: if promised { amount } else { 0 },
                    currency: Currency::USD,
                };
                self.transfers.extend(refunded(&given, NOW).unwrap());
                match promised {
                    true => self.around.promised_refunded_minor += i128::from(amount),
                    false => self.around.refunded_minor += i128::from(amount),
                }
            }
            Step::WriteOff if self.invoice.status == InvoiceStatus::Open => {
                self.invoice.mark_uncollectible(NOW).unwrap();
                self.transfers
                    .extend(written_off(&self.invoice, NOW).unwrap());
            }
            Step::Void if live && self.invoice.amount_paid_minor == 0 => {
                self.transfers.extend(voided(&self.invoice, NOW).unwrap());
                self.invoice.void(&mut self.customer, NOW).unwrap();
            }
            _ => {}
        }
    }

    fn pay(&mut self, amount: i64, outside: bool, live: bool) {
        if !live || amount == 0 {
            return;
        }
        let way = match outside {
            true => Way::OutOfBand,
            false => Way::Gateway("pi_1"),
        };
        self.transfers
            .extend(paid(&self.invoice, amount, way, NOW).unwrap());
        self.invoice.settle(amount, NOW).unwrap();
        match outside {
            true => self.invoice.out_of_band_minor += amount,
            false => self.around.taken_minor += i128::from(amount),
        }
    }

    fn credit(&mut self, amount: i64) {
        let note = Credited {
            pre_payment_minor: amount,
            tax_minor: amount / 7,
            ..Credited::default()
        };
        self.transfers
            .extend(credited(&self.invoice, "cn_1", &note, NOW).unwrap());
        self.invoice.amount_due_minor -= amount;
        self.invoice.pre_payment_credit_minor += amount;
        self.invoice.pre_payment_credit_tax_minor += note.tax_minor;
        self.notes.push(note);
    }

    fn uncredit(&mut self) {
        let Some(note) = self.notes.pop() else {
            return;
        };
        self.transfers
            .extend(credit_voided(&self.invoice, "cn_1", &note, NOW).unwrap());
        self.invoice.amount_due_minor += note.pre_payment_minor;
        self.invoice.pre_payment_credit_minor -= note.pre_payment_minor;
        self.invoice.pre_payment_credit_tax_minor -= note.tax_minor;
    }

    fn give_back(&mut self, [balance, refund, outside]: [u16; 3]) {
        let all = self.invoice.amount_paid_minor;
        let mut note = Credited {
            balance_minor: share(all, balance),
            refund_minor: share(all, refund),
            out_of_band_minor: share(all, outside),
            ..Credited::default()
        };
        note.tax_minor = note.total_minor() / 6;
        self.transfers
            .extend(credited(&self.invoice, "cn_2", &note, NOW).unwrap());
        self.given += note.balance_minor;
        self.around.credited.add(&note);
    }

    /// What all documents come to.
    fn expected(&self) -> Standing {
        let mut around = self.around;
        for note in &self.notes {
            around.credited.add(note);
        }
        expected(&self.invoice, &around)
    }
}

proptest! {
    #[test]
    fn every_sequence_clears(
        amount in -50_000..50_000_i64,
        balance in -30_000..30_000_i64,
        inclusive in any::<bool>(),
        steps in prop::collection::vec(step(), 0..24),
    ) {
        let mut customer = customer();
        let mut transfers = adjusted(&customer.id, balance, Currency::USD, "cbtxn_1", NOW).unwrap();
        customer.balance_minor = balance;
        let opening: Standing = transfers.iter().collect();
        let mut invoice = drafted(&customer, amount, inclusive);
        prop_assert_eq!(expected(&invoice, &Around::default()), Standing::default());
        invoice.finalize(&mut customer, NOW).unwrap();
        transfers.extend(finalized(&invoice, NOW).unwrap());
        let mut world = World {
            invoice,
            customer,
            transfers,
            around: Around { credited: Sums::default(), ..Around::default() },
            notes: Vec::new(),
            overpaid: 0,
            given: 0,
        };
        for step in steps {
            world.step(step);
            let standing: Standing = world.transfers.iter().collect();
            let mut documents = world.expected();
            documents.merge(&opening);
            prop_assert_eq!(&standing, &documents, "after {:?}", step);
            prop_assert_eq!(standing.sum(), 0);
            prop_assert!(world.transfers.iter().all(|t| t.amount_minor > 0 && t.debit != t.credit));
            // The balance that the customer is shown is the ledger's.
            let shown = world.customer.balance_minor - world.overpaid - world.given;
            prop_assert_eq!(standing.of(Account::CustomerBalance), i128::from(shown));
        }
    }
}
