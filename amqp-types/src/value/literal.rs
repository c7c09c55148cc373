//! Literals of values.
//!
//! Decides the syntax of `value!`: that of JSON, with symbols, descriptors and
//! expressions of Rust.

/// A [`Value`](crate::Value) literal.
///
/// | written | becomes |
/// | --- | --- |
/// | `null` | null |
/// | `[a, b]` | a list |
/// | `{ key: value }` | a map; a key is a literal, `:"symbol"`, or an expression in parentheses |
/// | `:"name"` | a symbol, checked to be ASCII by the compiler |
/// | `@descriptor value` | a described value; the descriptor is a number, `:"symbol"`, or an expression in parentheses |
/// | any other expression | whatever `Value::from` makes of it |
///
/// ```
/// use amqp_types::{Described, List, Map, Symbol, Value, value};
///
/// let count = 3u32;
/// let value = value!({
///     "colours": ["red", "green", null],
///     :"x-opt-count": count + 1,
///     7: @0x24 [],
///     (Symbol::from_static("sent")): @:"example:time" 5i64,
/// });
/// let map = value.as_map().unwrap();
/// assert_eq!(map.get("colours"), Some(&value!(["red", "green", null])));
/// assert_eq!(map.get(&value!(:"x-opt-count")), Some(&Value::Uint(4)));
/// assert_eq!(map.get(&value!(7)), Some(&Described::new(0x24, List::new()).into()));
/// assert_eq!(value!({}), Value::Map(Map::new()));
/// ```
#[macro_export]
macro_rules! value {
    (null) => { $crate::Value::Null };
    ([$($items:tt)*]) => {
        $crate::Value::List($crate::List($crate::__value_list!([] $($items)*)))
    };
    ({}) => { $crate::Value::Map($crate::Map::new()) };
    ({$($entries:tt)+}) => {{
        let mut map: $crate::Map = $crate::Map::new();
        $crate::__value_map!(map $($entries)+);
        $crate::Value::Map(map)
    }};
    (: $symbol:literal) => {
        $crate::Value::Symbol(const { $crate::Symbol::from_static($symbol) })
    };
    (@ : $symbol:literal $($value:tt)+) => {
        $crate::Value::from($crate::Described::new(
            const { $crate::Symbol::from_static($symbol) },
            $crate::value!($($value)+),
        ))
    };
    (@ $descriptor:tt $($value:tt)+) => {
        $crate::Value::from($crate::Described::new($descriptor, $crate::value!($($value)+)))
    };
    ($value:expr) => { $crate::Value::from($value) };
}

/// The items of a list literal: those that are done, then the rest.
#[doc(hidden)]
#[macro_export]
macro_rules! __value_list {
    ([$($done:expr),*]) => { ::std::vec![$($done),*] };
    ([$($done:expr),*] , $($rest:tt)*) => { $crate::__value_list!([$($done),*] $($rest)*) };
    ([$($done:expr),*] null $($rest:tt)*) => {
        $crate::__value_list!([$($done,)* $crate::value!(null)] $($rest)*)
    };
    ([$($done:expr),*] [$($items:tt)*] $($rest:tt)*) => {
        $crate::__value_list!([$($done,)* $crate::value!([$($items)*])] $($rest)*)
    };
    ([$($done:expr),*] {$($entries:tt)*} $($rest:tt)*) => {
        $crate::__value_list!([$($done,)* $crate::value!({$($entries)*})] $($rest)*)
    };
    ([$($done:expr),*] : $symbol:literal $($rest:tt)*) => {
        $crate::__value_list!([$($done,)* $crate::value!(: $symbol)] $($rest)*)
    };
    ([$($done:expr),*] @ : $symbol:literal $value:tt $($rest:tt)*) => {
        $crate::__value_list!([$($done,)* $crate::value!(@ : $symbol $value)] $($rest)*)
    };
    ([$($done:expr),*] @ $descriptor:tt $value:tt $($rest:tt)*) => {
        $crate::__value_list!([$($done,)* $crate::value!(@ $descriptor $value)] $($rest)*)
    };
    ([$($done:expr),*] $next:expr $(, $($rest:tt)*)?) => {
        $crate::__value_list!([$($done,)* $crate::value!($next)] $($($rest)*)?)
    };
}

/// The entries of a map literal, inserted one by one.
#[doc(hidden)]
#[macro_export]
macro_rules! __value_map {
    ($map:ident) => {};
    ($map:ident , $($rest:tt)*) => { $crate::__value_map!($map $($rest)*) };
    ($map:ident : $key:literal : $($rest:tt)+) => {
        $crate::__value_entry!($map ($crate::value!(: $key)) $($rest)+)
    };
    ($map:ident $key:tt : $($rest:tt)+) => {
        $crate::__value_entry!($map ($crate::value!($key)) $($rest)+)
    };
}

/// The value of an entry whose key was read, then the rest of the entries.
#[doc(hidden)]
#[macro_export]
macro_rules! __value_entry {
    (= $map:ident ($key:expr) ($value:expr) $($rest:tt)*) => {
        $map.insert($key, $value);
        $crate::__value_map!($map $($rest)*)
    };
    ($map:ident $key:tt null $($rest:tt)*) => {
        $crate::__value_entry!(= $map $key ($crate::value!(null)) $($rest)*)
    };
    ($map:ident $key:tt [$($items:tt)*] $($rest:tt)*) => {
        $crate::__value_entry!(= $map $key ($crate::value!([$($items)*])) $($rest)*)
    };
    ($map:ident $key:tt {$($entries:tt)*} $($rest:tt)*) => {
        $crate::__value_entry!(= $map $key ($crate::value!({$($entries)*})) $($rest)*)
    };
    ($map:ident $key:tt : $symbol:literal $($rest:tt)*) => {
        $crate::__value_entry!(= $map $key ($crate::value!(: $symbol)) $($rest)*)
    };
    ($map:ident $key:tt @ : $symbol:literal $value:tt $($rest:tt)*) => {
        $crate::__value_entry!(= $map $key ($crate::value!(@ : $symbol $value)) $($rest)*)
    };
    ($map:ident $key:tt @ $descriptor:tt $value:tt $($rest:tt)*) => {
        $crate::__value_entry!(= $map $key ($crate::value!(@ $descriptor $value)) $($rest)*)
    };
    ($map:ident $key:tt $value:expr $(, $($rest:tt)*)?) => {
        $crate::__value_entry!(= $map $key ($crate::value!($value)) $($($rest)*)?)
    };
}

#[cfg(test)]
mod tests {
    use crate::{Described, List, Map, Symbol, Value};

    #[test]
    fn lists_nest_and_may_end_with_a_comma() {
        let inner = Value::from(List::from([1, 2]));
        let list = value!([[1, 2,], 1 + 2, null,]);
        assert_eq!(list, Value::from(vec![inner, Value::from(3), Value::Null]));
        assert_eq!(value!([]), Value::from(List::new()));
    }

    #[test]
    fn maps_keep_their_order() {
        let map = value!({ "b": true, "a": { 1: null } });
        let inner = Map::<Value>::from([(1, Value::Null)]);
        let outer = Map::<Value>::from([("b", Value::from(true)), ("a", inner.into())]);
        assert_eq!(map, Value::from(outer));
    }

    #[test]
    fn symbols_and_descriptors_have_a_sign_each() {
        let symbol = Symbol::from_static("s");
        let symbols = vec![Value::from(symbol.clone()), Value::from(1)];
        assert_eq!(value!(:"s"), symbols[0]);
        assert_eq!(value!([:"s", 1]), Value::from(symbols));
        assert_eq!(value!(@:"s" 1 + 1), Value::from(Described::new(symbol, 2)));
        let described = Value::from(Described::new(5, value!([:"s"])));
        let twice = vec![described.clone(), described];
        assert_eq!(value!([@5 [:"s"], @5 [:"s"]]), Value::from(twice));
    }
}
