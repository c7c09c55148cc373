//! Definitions of one's own, generated against ours: `tests/inventory/inventory.xml` and what it becomes.
//!
//! Shows that such types are encoded and decoded like those of the standard, that they reach our fields through
//! `Other`, and that none of ours was generated again.

#[path = "inventory/mod.rs"]
#[rustfmt::skip]
// A test is a program: nothing in it is reached from outside, and not all of it is used.
#[allow(unreachable_pub, dead_code, unused_macros)]
mod generated;

use amqp_types::filters::Filter;
use amqp_types::messaging::{Accepted, DeliveryState, FilterSet, Outcome, Source, TargetArchetype};
use amqp_types::transport::{
    Attach, DeliveryNumber, Disposition, Error, ErrorCondition, Handle, Role,
};
use amqp_types::{Decode, DecodeErrorKind, Described, Encode, Symbol, Timestamp};
use generated::inventory::{
    Article, Backordered, ColourFilter, InventoryError, LARGEST_ORDER, Movement, Receipt, Removal,
    Shelf,
};

#[test]
fn a_type_of_ones_own_comes_back() {
    let mut article = Article::new("4711");
    article.colours = vec![Symbol::from_static("red"), Symbol::from_static("blue")];
    article.weight = Some(0.5);
    article.last_change = Some(Removal::new(3).into());
    article.last_delivery = Some(Accepted {}.into());
    assert_eq!(article.in_stock, 1);
    assert_eq!(Article::from_bytes(&article.to_bytes()), Ok(article));
    assert_eq!(LARGEST_ORDER, 500);
}

#[test]
fn an_archetype_of_ones_own_is_an_enum() {
    let receipt = Receipt::new(7);
    let octets = receipt.to_bytes();
    assert_eq!(
        Movement::from_bytes(&octets),
        Ok(Movement::Receipt(receipt))
    );
    // A known type that does not provide it is refused, ours as well as theirs.
    for wrong in [Shelf::new(1).to_bytes(), Accepted {}.to_bytes()] {
        let error = Movement::from_bytes(&wrong).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::WrongArchetype);
    }
    let unknown = Described::new(0x0000_7ed9_0000_ffff, 1u32);
    let movement = Movement::Other(Box::new(unknown));
    assert_eq!(Movement::from_bytes(&movement.to_bytes()), Ok(movement));
}

#[test]
fn a_delivery_state_of_ones_own_reaches_a_disposition_through_other() {
    let state = Backordered {
        expected: Some(Timestamp(1_000)),
    };
    let mut disposition = Disposition::new(Role::Receiver, DeliveryNumber(4));
    disposition.state = Some(state.clone().into());
    let read = Disposition::from_bytes(&disposition.to_bytes()).unwrap();
    let read = read.state.unwrap();
    assert!(matches!(read, DeliveryState::Other(_)));
    assert_eq!(Backordered::try_from(&read), Ok(state.clone()));
    assert!(Backordered::try_from(&DeliveryState::from(Accepted {})).is_err());
    // It is an outcome, too.
    let outcome = Outcome::from(state.clone());
    assert_eq!(Backordered::try_from(&outcome), Ok(state));
    assert_eq!(Outcome::try_from(read), Ok(outcome));
}

#[test]
fn a_target_of_ones_own_reaches_an_attach_through_other() {
    let mut attach = Attach::new("orders", Handle(0), Role::Sender);
    attach.target = Some(Shelf::new(12).into());
    let read = Attach::from_bytes(&attach.to_bytes()).unwrap();
    let Some(TargetArchetype::Other(target)) = read.target else {
        panic!("not an unknown target")
    };
    assert_eq!(Shelf::try_from(&*target), Ok(Shelf::new(12)));
}

#[test]
fn an_error_condition_of_ones_own_is_a_symbol_to_others() {
    let error = Error::new(InventoryError::OutOfStock);
    assert_eq!(error.condition.as_str(), "example:out-of-stock");
    let read = Error::from_bytes(&error.to_bytes()).unwrap();
    assert_eq!(
        InventoryError::try_from(&read.condition),
        Ok(InventoryError::OutOfStock)
    );
    assert!(InventoryError::try_from(&ErrorCondition::NotFound).is_err());
}

#[test]
fn a_filter_of_ones_own_goes_into_a_filter_set() {
    let filter = ColourFilter(Symbol::from_static("red"));
    let mut filters = FilterSet::default();
    filters.insert(
        Symbol::from_static("colour"),
        Some(Described::from(filter.clone())),
    );
    let source = Source {
        filter: Some(filters),
        ..Source::default()
    };
    let read = Source::from_bytes(&source.to_bytes()).unwrap();
    let found = read
        .filter
        .as_ref()
        .and_then(|filters| filters.get("colour"))
        .cloned()
        .flatten();
    assert_eq!(ColourFilter::try_from(&found.unwrap()), Ok(filter.clone()));
    assert!(matches!(Filter::from(filter), Filter::Other(_)));
}

#[cfg(feature = "proptest")]
mod properties {
    //! The strategies of one's own types are generated as well.

    use amqp_types::strategy::{Strategic, any};
    use amqp_types::{Decode, Encode};
    use proptest::prelude::*;

    use super::generated::{for_each_type, inventory};

    fn comes_back<T: Strategic + Encode + Decode>() {
        proptest!(ProptestConfig::with_cases(32), |(value in any::<T>())| {
            // A float may be none that equals itself, so the octets are compared.
            let octets = value.to_bytes();
            prop_assert_eq!(T::from_bytes(&octets).map(|read| read.to_bytes()), Ok(octets));
        });
    }

    macro_rules! all_of {
        ($($path:path),*) => {
            #[test]
            fn every_type_comes_back() {
                $(comes_back::<$path>();)*
            }
        };
    }

    for_each_type!(all_of);
}
