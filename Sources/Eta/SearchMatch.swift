import Base
import Domain
import Storage

/// What the index of names and titles is asked: texts that stand in its columns as they are.
///
/// The index knows each three characters that follow each other (`trigram`), so that what has fewer
/// is looked for in every row instead.
struct SearchMatch: ColumnValue, Equatable {
    /// So many rows are looked at one by one; what more match is found soon by going through all.
    static let few = 1_000

    /// A text, and the columns of the index that it has to stand in.
    struct Wanted {
        let columns: String
        let text: String

        /// Its longest word: a text whose parts many rows share is sooner found by what they do not.
        fileprivate var longestWord: Wanted {
            let words = text.split(separator: " ")
            let longest = words.max { $0.utf8.count < $1.utf8.count }
            return Wanted(columns: columns, text: words.count > 1 ? String(longest ?? "") : text)
        }
    }

    private let text: String

    /// Nil where there is nothing to ask, or the index has no answer.
    init?(_ wanted: [Wanted]) {
        guard !wanted.isEmpty, wanted.allSatisfy({ $0.text.unicodeScalars.count >= 3 }) else {
            return nil
        }
        text = wanted.map { wanted in
            let quoted = wanted.text.split(separator: "\"", omittingEmptySubsequences: false)
                .joined(separator: "\"\"")
            return "{\(wanted.columns)} : \"\(quoted)\""
        }.joined(separator: " AND ")
    }

    /// What to ask for a few rows that have all that do, and maybe others: the second finds them
    /// where the first finds too many.
    static func attempts(_ wanted: [Wanted]) -> [SearchMatch] {
        guard let exact = SearchMatch(wanted) else { return [] }
        guard let loose = SearchMatch(wanted.map(\.longestWord)), loose != exact else {
            return [exact]
        }
        return [loose, exact]
    }

    var stored: SQLValue { .text(text) }

    init?(stored: SQLValue) {
        guard case .text(let text) = stored else { return nil }
        self.text = text
    }
}

/// How many rows there are, as triggers keep it with every change.
enum ListTotals {
    private static let count = Query<String, Int>("SELECT count FROM list_total WHERE name = ?1")

    /// All of that name.
    static func count(
        _ name: String, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(count, name) ?? 0
    }
}
