//! Fills, shows and empties the databases of `db_send` and `db_recv`.
//!
//! `cargo run --example db_ctrl -- insert source.txt 1 "some text"`; `list FILE`; `clear FILE`

// Each of the three programs uses a part of it.
#[allow(dead_code)]
#[path = "db_common/mod.rs"]
mod db_common;

use clap::{Parser, Subcommand};
use db_common::Db;

/// Fills, shows and empties a database.
#[derive(Debug, Parser)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Adds a row.
    Insert {
        file: String,
        number: u64,
        text: String,
    },
    /// Prints all rows.
    List { file: String },
    /// Takes all rows out.
    Clear { file: String },
}

/// Does what is asked; answers what is to be printed.
pub fn run(options: Options) -> std::io::Result<Vec<String>> {
    match options.verb {
        Verb::Insert { file, number, text } => {
            Db::new(file).insert(&(number, text))?;
            Ok(Vec::new())
        }
        Verb::List { file } => {
            let rows = Db::new(file).rows()?;
            Ok(rows.iter().map(|(n, text)| format!("{n} {text}")).collect())
        }
        Verb::Clear { file } => {
            let db = Db::new(file);
            let numbers: Vec<_> = db.rows()?.into_iter().map(|(number, _)| number).collect();
            db.delete(&numbers)?;
            Ok(Vec::new())
        }
    }
}

fn main() -> std::io::Result<()> {
    for line in run(Options::parse())? {
        println!("{line}");
    }
    Ok(())
}
