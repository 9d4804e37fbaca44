//! The domain of Perennial: money, time, catalogue, subscriptions, invoices.
//!
//! Pure: no I/O, no clock, no randomness, no floats. It compiles to wasm unchanged, so the browser
//! previews a change with the very code that bills it. Read the rooms in this order.

// What money is.
pub mod currency;
pub mod decimal;
pub mod money;
pub mod ratio;

// When things happen, and what they are called.
pub mod calendar;
pub mod id;
pub mod test_clock;

// What is sold, to whom, at what discount and tax.
pub mod address;
pub mod catalog;
pub mod country;
pub mod customer;
pub mod discount;
pub mod metadata;
pub mod pricing;
pub mod tax;
pub mod tax_id;

// What they have, what a change of it bills, and what is claimed.
pub mod coverage;
pub mod credit;
pub mod credit_note;
pub mod invoice;
pub mod ledger;
pub mod proration;
pub mod quote;
pub mod schedule;
pub mod subscription;

// How they pay.
pub mod card;
pub mod dunning;
pub mod payment;
pub mod payment_record;
pub mod refund;

// What they use of what is metered.
pub mod usage;

// What the merchant allows, and how it looks.
pub mod portal;
pub mod theme;

#[cfg(test)]
mod fixture;
