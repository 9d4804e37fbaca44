//! Postal addresses as their countries write them.

use perennial::customer::Address;

/// An address as lines, largest last (or first, in East Asia). Parts that are missing leave no gap.
pub(super) fn lines(address: &Address) -> Vec<String> {
    let part = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_owned();
    let (line1, line2) = (part(&address.line1), part(&address.line2));
    let (city, state, code) = (
        part(&address.city),
        part(&address.state),
        part(&address.postal_code),
    );
    let country = part(&address.country);
    let mut lines = match country.as_str() {
        "CN" | "TW" | "HK" | "MO" | "JP" if is_east(&line1) => {
            vec![code, joined(&[&state, &city, &line1], ""), line2]
        }
        "US" | "CA" | "AU" | "PR" => {
            let region = joined(&[&state, &code], " ");
            vec![line1, line2, joined(&[&city, &region], ", ")]
        }
        "GB" | "IE" | "NZ" | "IN" | "SG" | "ZA" => vec![line1, line2, city, state, code],
        "JP" | "KR" | "CN" | "BR" | "MX" | "TH" => {
            vec![line1, line2, joined(&[&city, &state, &code], " ")]
        }
        // Most of the world puts the code before the city.
        _ => vec![line1, line2, joined(&[&code, &city], " "), state],
    };
    lines.push(country);
    lines.retain(|line| !line.is_empty());
    lines
}

fn joined(parts: &[&str], between: &str) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(between)
}

fn is_east(text: &str) -> bool {
    text.chars()
        .any(|c| matches!(c, '\u{3041}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'))
}

#[cfg(test)]
mod tests {
    //! One country of each kind.
    use super::*;

    #[test]
    fn addresses_are_written_as_at_home() {
        let check = |parts: [&str; 6], expected: &[&str]| {
            let [line1, line2, city, state, postal_code, country] =
                parts.map(|part| Some(part.to_owned()).filter(|part| !part.is_empty()));
            let address = Address {
                line1,
                line2,
                city,
                state,
                postal_code,
                country,
            };
            assert_eq!(lines(&address), expected);
        };
        check(
            ["Hauptstraße 5", "", "Berlin", "", "10115", "DE"],
            &["Hauptstraße 5", "10115 Berlin", "DE"],
        );
        check(
            ["1 Main St", "Apt 2", "Springfield", "IL", "62701", "US"],
            &["1 Main St", "Apt 2", "Springfield, IL 62701", "US"],
        );
        check(
            ["10 Downing Street", "", "London", "", "SW1A 2AA", "GB"],
            &["10 Downing Street", "London", "SW1A 2AA", "GB"],
        );
        check(
            ["丸の内1-1", "", "千代田区", "東京都", "100-0005", "JP"],
            &["100-0005", "東京都千代田区丸の内1-1", "JP"],
        );
        check(["", "", "", "", "", ""], &[]);
    }
}
