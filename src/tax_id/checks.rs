//! Check digits, by the published rule of each country. Every function gets a value whose format
//! was checked, and answers `false` rather than panicking for any other.

/// The digits of a value, letters left out.
fn digits(value: &str) -> Vec<u32> {
    value.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// The sum of the first digits times their weights.
fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum()
}

fn number(digits: &[u32]) -> u64 {
    digits
        .iter()
        .take(18)
        .fold(0, |sum, digit| sum * 10 + u64::from(*digit))
}

fn at_index(digits: &[u32], index: usize) -> u32 {
    digits.get(index).copied().unwrap_or_default()
}

/// Digit by digit, every second one from the right doubled: the sum is a multiple of ten.
fn luhn_digits(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            if index % 2 == 1 {
                digit * 2 / 10 + digit * 2 % 10
            } else {
                *digit
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064, MOD 11,10.
fn mod_11_10(digits: &[u32]) -> bool {
    let Some((check, body)) = digits.split_last() else {
        return false;
    };
    let mut product = 10;
    for digit in body {
        let sum = match (digit + product) % 10 {
            0 => 10,
            sum => sum,
        };
        product = sum * 2 % 11;
    }
    (11 - product) % 10 == *check
}

pub(super) fn luhn(value: &str) -> bool {
    luhn_digits(&digits(value))
}

pub(super) fn luhn_after_prefix(value: &str) -> bool {
    luhn(value)
}

/// The first nine digits of a business number; the rest counts its accounts.
pub(super) fn ca_business(value: &str) -> bool {
    digits(value).get(..9).is_some_and(luhn_digits)
}

pub(super) fn au_abn(value: &str) -> bool {
    let mut all = digits(value);
    if let Some(first) = all.first_mut() {
        let Some(less) = first.checked_sub(1) else {
            return false;
        };
        *first = less;
    }
    weighted(&all, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
}

fn brazilian(body: &[u32], weights: &[u32]) -> u32 {
    match weighted(body, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

pub(super) fn br_cnpj(value: &str) -> bool {
    let all = digits(value);
    let first = brazilian(&all, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    let second = brazilian(&all, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    at_index(&all, 12) == first && at_index(&all, 13) == second
}

pub(super) fn br_cpf(value: &str) -> bool {
    let all = digits(value);
    let first = brazilian(&all, &[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let second = brazilian(&all, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    at_index(&all, 9) == first && at_index(&all, 10) == second
}

pub(super) fn ch_uid(value: &str) -> bool {
    let all = digits(value);
    let check = (11 - weighted(&all, &[5, 4, 3, 2, 7, 6, 5, 4]) % 11) % 11;
    check == at_index(&all, 8)
}

pub(super) fn no(value: &str) -> bool {
    let all = digits(value);
    let check = (11 - weighted(&all, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    check == at_index(&all, 8)
}

pub(super) fn at(value: &str) -> bool {
    let all = digits(value);
    let sum: u32 = all
        .iter()
        .take(7)
        .enumerate()
        .map(|(index, digit)| {
            if index % 2 == 1 {
                digit * 2 / 10 + digit * 2 % 10
            } else {
                *digit
            }
        })
        .sum();
    (10 - (sum + 4) % 10) % 10 == at_index(&all, 7)
}

pub(super) fn be(value: &str) -> bool {
    let all = digits(value);
    let (Some(body), Some(check)) = (all.get(..8), all.get(8..)) else {
        return false;
    };
    97 - number(body) % 97 == number(check)
}

pub(super) fn de(value: &str) -> bool {
    mod_11_10(&digits(value))
}

pub(super) fn hr(value: &str) -> bool {
    mod_11_10(&digits(value))
}

pub(super) fn dk(value: &str) -> bool {
    weighted(&digits(value), &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

pub(super) fn ee(value: &str) -> bool {
    weighted(&digits(value), &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

pub(super) fn el(value: &str) -> bool {
    let all = digits(value);
    weighted(&all, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == at_index(&all, 8)
}

pub(super) fn fi(value: &str) -> bool {
    let all = digits(value);
    let rest = weighted(&all, &[7, 9, 10, 5, 8, 4, 2]) % 11;
    rest != 1 && (11 - rest) % 11 == at_index(&all, 7)
}

/// The two characters after `FR` may be letters; their rule is not public then, and all fit.
pub(super) fn fr(value: &str) -> bool {
    let all = digits(value);
    let (Some(key), Some(body)) = (all.get(..2), all.get(2..11)) else {
        return value
            .chars()
            .skip(2)
            .take(2)
            .any(|c| c.is_ascii_alphabetic());
    };
    (12 + 3 * (number(body) % 97)) % 97 == number(key)
}

pub(super) fn hu(value: &str) -> bool {
    weighted(&digits(value), &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10)
}

pub(super) fn lu(value: &str) -> bool {
    let all = digits(value);
    let (Some(body), Some(check)) = (all.get(..6), all.get(6..)) else {
        return false;
    };
    number(body) % 89 == number(check)
}

pub(super) fn mt(value: &str) -> bool {
    let all = digits(value);
    let check = 37 - weighted(&all, &[3, 4, 6, 7, 8, 9]) % 37;
    all.get(6..)
        .is_some_and(|last| number(last) == u64::from(check))
}

/// Companies: weights modulo 11. Sole traders (since 2020): the whole value modulo 97, letters
/// counting from A = 10.
pub(super) fn nl(value: &str) -> bool {
    let all = digits(value);
    let company = weighted(&all, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 == at_index(&all, 8);
    let rest = value.chars().fold(0_u32, |rest, c| match c.to_digit(36) {
        Some(digit) if digit >= 10 => (rest * 100 + digit) % 97,
        Some(digit) => (rest * 10 + digit) % 97,
        None => rest,
    });
    company || rest == 1
}

pub(super) fn pl(value: &str) -> bool {
    let all = digits(value);
    weighted(&all, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == at_index(&all, 9)
}

pub(super) fn pt(value: &str) -> bool {
    let all = digits(value);
    let check = match 11 - weighted(&all, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        10 | 11 => 0,
        check => check,
    };
    check == at_index(&all, 8)
}

pub(super) fn ro(value: &str) -> bool {
    let all = digits(value);
    let Some((check, body)) = all.split_last() else {
        return false;
    };
    let weights = [7, 5, 3, 2, 1, 7, 5, 3, 2];
    let used = weights
        .get(weights.len().saturating_sub(body.len())..)
        .unwrap_or(&weights);
    weighted(body, used) * 10 % 11 % 10 == *check
}

pub(super) fn se(value: &str) -> bool {
    digits(value).get(..10).is_some_and(luhn_digits)
}

pub(super) fn si(value: &str) -> bool {
    let all = digits(value);
    let check = match 11 - weighted(&all, &[8, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => return false,
        10 => 0,
        check => check,
    };
    check == at_index(&all, 7)
}

pub(super) fn sk(value: &str) -> bool {
    number(&digits(value)).is_multiple_of(11)
}

/// Modulo 97, old numbers without and new ones with an offset of 55. Government and health
/// authorities have no check digits.
pub(super) fn gb(value: &str) -> bool {
    let all = digits(value);
    let Some(check) = all.get(7..9) else {
        return value.starts_with("GBGD") || value.starts_with("GBHA");
    };
    let sum = u64::from(weighted(&all, &[8, 7, 6, 5, 4, 3, 2])) + number(check);
    sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97)
}

/// Characters of base 36, every second one doubled, as sums of base-36 digits.
pub(super) fn in_gst(value: &str) -> bool {
    let codes: Vec<u32> = value.chars().filter_map(|c| c.to_digit(36)).collect();
    let Some((check, body)) = codes.split_last() else {
        return false;
    };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(index, code)| {
            let product = if index % 2 == 1 { code * 2 } else { *code };
            product / 36 + product % 36
        })
        .sum();
    (36 - sum % 36) % 36 == *check
}

pub(super) fn jp_corporate(value: &str) -> bool {
    let all = digits(value);
    let Some((check, body)) = all.split_first() else {
        return false;
    };
    let weights = [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2];
    let reversed: Vec<u32> = body.iter().rev().copied().collect();
    9 - weighted(&reversed, &weights) % 9 == *check
}

pub(super) fn kr_brn(value: &str) -> bool {
    let all = digits(value);
    let sum = weighted(&all, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + at_index(&all, 8) * 5 / 10;
    (10 - sum % 10) % 10 == at_index(&all, 9)
}
