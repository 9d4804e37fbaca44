//! A short search without a fuzzer's engine: examples, mutated by a generator that repeats itself.

/// Inputs that each target gets.
const ROUNDS: u64 = 40_000;

/// What mutation begins with.
const EXAMPLES: [&[u8]; 8] = [
    b"items[0][price]=price_1&items[0][quantity]=2&expand[]=customer&metadata[a+b]=%C3%A9",
    b"expand[0]=latest_invoice&expand[1]=customer&trial_end=now&discounts=",
    b"-12.000000000001",
    b"9223372036854775807.999999999999",
    b"usd",
    b"\x05\x00\x69\x7d\xd1\x00\x05\x00\x69\x7f\x00\x00\x02\x01",
    b"\x03\x01\x86\xa0\x00\x32\x02\x13\x88\x01\x63\x03\x0f\x42\x40\x02\x07\x05\x00\x69\x7d\xd1\x00\x05\x01\x04",
    b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x08\x7f\xff\xff\xff\xff\xff\xff\xff\x00",
];

fn search(target: fn(&[u8])) {
    let mut state = 0x5eed_u64;
    let mut number = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) & 0xffff_ffff).unwrap_or_default()
    };
    for round in 0..ROUNDS {
        let mut input = EXAMPLES[number() % EXAMPLES.len()].to_vec();
        for _ in 0..=number() % 8 {
            let place = number() % (input.len() + 1);
            let byte = number().to_le_bytes()[0];
            match number() % 5 {
                0 => input.insert(place, byte),
                1 if place < input.len() => input[place] = byte,
                2 if place < input.len() => drop(input.remove(place)),
                3 => {
                    let other = EXAMPLES[number() % EXAMPLES.len()];
                    let from = number() % other.len();
                    input.splice(place..place, other[from..].iter().copied());
                }
                _ => input.extend((0..number() % 24).map(|_| number().to_le_bytes()[0])),
            }
        }
        let found = std::panic::catch_unwind(|| target(&input));
        assert!(found.is_ok(), "round {round}: {input:?}");
    }
}

#[test]
fn forms() {
    search(fuzz::form);
}

#[test]
fn money() {
    search(fuzz::money);
}

#[test]
fn calendar() {
    search(fuzz::calendar);
}

#[test]
fn proration() {
    search(fuzz::proration);
}
