//! What a scenario says in the end, one line each, which `cargo xtask interop` gathers into its matrix.

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// The peer cannot do it; the text says how it shows.
    NotSupported(String),
}

/// Prints `result`, scenario, verdict, detail, separated by tabs; whether it is not a failure.
pub(crate) fn print(scenario: &str, result: &Result<Verdict, String>) -> bool {
    println!("{}", line(scenario, result));
    result.is_ok()
}

fn line(scenario: &str, result: &Result<Verdict, String>) -> String {
    let (verdict, detail) = match result {
        Ok(Verdict::Pass) => ("pass", ""),
        Ok(Verdict::NotSupported(detail)) => ("unsupported", detail.as_str()),
        Err(detail) => ("fail", detail.as_str()),
    };
    let detail: Vec<&str> = detail.split_whitespace().collect();
    format!("result\t{scenario}\t{verdict}\t{}", detail.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_one_line() {
        assert_eq!(line("a b", &Ok(Verdict::Pass)), "result\ta b\tpass\t");
        assert_eq!(line("a", &Err("b\n\tc".into())), "result\ta\tfail\tb c");
        assert_eq!(
            line("a", &Ok(Verdict::NotSupported("x".into()))),
            "result\ta\tunsupported\tx"
        );
    }
}
