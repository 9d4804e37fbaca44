use super::*;
use crate::refusal::{DeclineReason, Field, Refusal, Rule};
use perennial::{
    decimal::Decimal12,
    pricing::{Pricing, RoundDirection, Tier, TiersMode, TransformQuantity},
};
use std::{error::Error, fmt::Debug, fs, path::Path};

type Outcome = Result<(), Box<dyn Error>>;

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Outcome {
    let message = pack(value)?;
    assert_eq!(&unpack::<T>(&message)?, value);
    // No part of a message passes for a whole one.
    for length in 0..message.len() {
        assert!(
            unpack::<T>(&message[..length]).is_err(),
            "{value:?} cut at {length}"
        );
    }
    Ok(())
}

#[test]
fn values_come_back() -> Outcome {
    let cents = Decimal12::parse("0.0125")?;
    comes_back(&Pricing::PerUnit {
        unit_amount: cents,
        transform_quantity: Some(TransformQuantity {
            divide_by: 12,
            round: RoundDirection::Up,
        }),
    })?;
    comes_back(&Pricing::Tiered {
        mode: TiersMode::Graduated,
        tiers: vec![Tier {
            up_to: None,
            unit_amount: Some(cents),
            flat_amount: None,
        }],
    })?;
    for refusal in [
        Refusal::SignedOut,
        Refusal::Declined(DeclineReason::ExpiredCard),
        Refusal::Invalid(vec![(Field::Comment, Rule::TooLong(500))]),
        Refusal::Unavailable,
    ] {
        comes_back(&refusal)?;
        comes_back(&Err::<String, _>(refusal))?;
    }
    Ok(())
}

#[test]
fn other_versions_are_refused() -> Outcome {
    let mut message = pack(&Refusal::Busy)?;
    message[0] ^= 1;
    assert_eq!(unpack::<Refusal>(&message), Err(WireError::OtherVersion));
    assert_eq!(unpack::<Refusal>(b""), Err(WireError::OtherVersion));
    let json = serde_json::to_vec(&Refusal::Busy)?;
    assert!(unpack::<Refusal>(&json).is_err());
    Ok(())
}

/// Whoever forgets it has a second decoder, for JSON, in every browser's download.
#[test]
fn every_server_function_answers_packed() -> Outcome {
    let mut functions = 0;
    each_source(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut |path, text| {
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[server(prefix") || line == "#[server]" {
                    functions += 1;
                    assert!(
                        line.contains("output = Packed"),
                        "{}: {line} needs `output = Packed`",
                        path.display()
                    );
                }
                assert!(
                    path.ends_with("wire/tests.rs")
                        || path.ends_with("loaded.rs")
                        || !line.contains("Resource::new"),
                    "{}: {line} should use portal::loaded::load",
                    path.display()
                );
            }
        },
    )?;
    assert!(functions > 10, "only {functions} server functions found");
    Ok(())
}

/// What travels has no field names, so each field must be there, and nothing can be guessed from a form.
#[test]
fn nothing_that_travels_needs_names() -> Outcome {
    let app = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in [app.join("../src"), app.join("src")] {
        each_source(&folder, &mut |path, text| {
            for line in text.lines().filter(|line| line.contains("#[serde(")) {
                for needs in ["flatten", "untagged", "skip", "tag =", "other"] {
                    assert!(!line.contains(needs), "{}: {line}", path.display());
                }
            }
        })?;
    }
    Ok(())
}

fn each_source(folder: &Path, look: &mut impl FnMut(&Path, &str)) -> Outcome {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            each_source(&path, look)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path, &fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
