//! One property test for every generated type, by the macro that walks them.
//!
//! Shows that what is written is read back, also in the other legal descriptor and after a detour through `Value`; that
//! no strict prefix is a value; and that spoilt octets are refused without a panic.

#![cfg(feature = "proptest")]

use amqp_types::strategy::{Strategic, any};
use amqp_types::{DESCRIPTORS, Decode, Described, Encode, Symbol, Value};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Runs a check on some values of a type. The seed is fixed: a failure is found again.
fn check<T: Strategic>(cases: u32, test: impl Fn(T) -> Result<(), TestCaseError>) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let outcome = TestRunner::new_with_rng(config, seed).run(&any::<T>(), test);
    if let Err(error) = outcome {
        panic!("{}: {error}", std::any::type_name::<T>());
    }
}

/// A generated type, as the tests need it.
trait Tested: Strategic + Encode + Decode + Clone + PartialEq {}

impl<T: Strategic + Encode + Decode + Clone + PartialEq> Tested for T {}

// tests: [TYP-32, TYP-33, TYP-35, TYP-38]
fn comes_back<T: Tested>() {
    check(48, |value: T| {
        let octets = value.to_bytes();
        prop_assert_eq!(T::from_bytes(&octets), Ok(value));
        let generic = Value::from_bytes(&octets);
        prop_assert_eq!(generic.map(|generic| generic.to_bytes()), Ok(octets));
        Ok(())
    });
}

fn a_prefix_is_refused<T: Tested>() {
    check(12, |value: T| {
        let octets = value.to_bytes();
        for length in 0..octets.len() {
            prop_assert!(
                T::from_bytes(&octets.slice(..length)).is_err(),
                "prefix of {}",
                length
            );
        }
        Ok(())
    });
}

// tests: [TYP-03]
fn the_symbolic_descriptor_is_the_same<T: Tested>() {
    check(16, |value: T| {
        let Ok(Value::Described(mut described)) = Value::from_bytes(&value.to_bytes()) else {
            return Ok(());
        };
        let Value::Ulong(code) = described.descriptor else {
            return Ok(());
        };
        let Some(known) = DESCRIPTORS.iter().find(|known| known.code == Some(code)) else {
            return Ok(());
        };
        described.descriptor = Value::Symbol(Symbol::from_static(known.symbol));
        prop_assert_eq!(described.decode_as::<T>(), Ok(value));
        // The numeric descriptor in its widest form.
        let inner: Described = *described;
        let mut octets = vec![0x00, 0x80];
        octets.extend_from_slice(&code.to_be_bytes());
        octets.extend_from_slice(&inner.value.to_bytes());
        prop_assert!(T::from_bytes(&Bytes::from(octets)).is_ok());
        Ok(())
    });
}

fn spoilt_octets_do_no_harm<T: Tested>() {
    check(12, |value: T| {
        let octets = value.to_bytes();
        for at in 0..octets.len().min(64) {
            for spoilt in [
                0x00,
                0x40,
                0x45,
                0xff,
                octets[at] ^ 0x10,
                octets[at].wrapping_add(1),
            ] {
                let mut other = octets.to_vec();
                other[at] = spoilt;
                if let Ok(read) = T::from_bytes(&Bytes::from(other)) {
                    // What was accepted can be written again.
                    prop_assert!(T::from_bytes(&read.to_bytes()).is_ok());
                }
            }
        }
        Ok(())
    });
}

macro_rules! all_of {
    ($($path:ty),*) => {
        const COUNT: usize = [$(stringify!($path)),*].len();

        #[test]
        fn every_type_comes_back() {
            $(comes_back::<$path>();)*
        }

        #[test]
        fn every_strict_prefix_is_refused() {
            $(a_prefix_is_refused::<$path>();)*
        }

        #[test]
        fn every_type_is_known_by_both_descriptors() {
            $(the_symbolic_descriptor_is_the_same::<$path>();)*
        }

        #[test]
        fn spoilt_octets_never_panic() {
            $(spoilt_octets_do_no_harm::<$path>();)*
        }
    };
}

amqp_types::for_each_generated_type!(all_of);

#[test]
fn the_walk_is_not_empty() {
    const { assert!(COUNT > 90) };
}
