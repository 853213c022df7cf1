import Base
import Domain
import HTTP

/// What an endpoint does with tables, for operators who bring lists from elsewhere and take them along:
/// it answers one who asks for `text/csv`, and takes one in place of a single object.
public struct CSVForm: Sendable {
    /// A line of a table, by the names in its first line.
    public struct Line: Sendable {
        /// Where it stands, from 1.
        public let number: Int
        fileprivate let fields: [String: String]

        /// A field of the line; nil where it is empty or the column is not there.
        public subscript(_ column: String) -> String? {
            fields[column].flatMap { $0.isEmpty ? nil : $0 }
        }

        /// A field through `parse`.
        ///
        /// - Throws: `refusal` with the line and the column, for a field that is missing and needed, or
        ///   is none.
        public func value<Value>(
            _ column: String, _ expectation: String, or refusal: ErrorCode,
            _ parse: (String) -> Value?
        ) throws(APIError) -> Value? {
            guard let text = self[column] else { return nil }
            guard let value = parse(text) else {
                throw APIError(refusal, field: "\(number).\(column)", "must be \(expectation)")
            }
            return value
        }

        /// The same for a field that must be there.
        public func needed<Value>(
            _ column: String, _ expectation: String, or refusal: ErrorCode,
            _ parse: (String) -> Value?
        ) throws(APIError) -> Value {
            guard let value = try value(column, expectation, or: refusal, parse) else {
                throw APIError(refusal, field: "\(number).\(column)", "is missing")
            }
            return value
        }
    }
    /// What came of a table that was brought.
    struct Outcome: Codable, Sendable {
        /// How many lines it had.
        let imported: Int
    }

    /// How a list is answered: the lines of a table, with the names of its columns first.
    public typealias Export = @Sendable (RequestContext) async throws(APIError) -> [[String]]
    /// How a table is taken: all of it, or none.
    public typealias Import = @Sendable ([Line], RequestContext) async throws(APIError) -> Void

    fileprivate let export: Export?
    fileprivate let taking: Import?

    /// A form that answers tables.
    public init(export: @escaping Export) {
        self.export = export
        taking = nil
    }

    /// A form that takes tables.
    public init(import taking: @escaping Import) {
        export = nil
        self.taking = taking
    }
}

/// An endpoint that also speaks in tables.
struct CSVEndpoint: BoundEndpoint {
    private static let mediaType = "text/csv"

    let inner: any BoundEndpoint
    let form: CSVForm
    let limits: RouterLimits

    var facts: EndpointFacts { inner.facts }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let head = exchange.passage.request.head
        if let export = form.export, names(head.text(.accept)) {
            let rows = try await export(exchange.context)
            return Response(
                status: .ok,
                fields: Fields(
                    (.contentType, "\(Self.mediaType); charset=utf-8"),
                    (.cacheControl, "private, no-store")),
                body: .bytes(CSV.write(rows)))
        }
        if let taking = form.taking, names(head.text(.contentType)) {
            let lines = try await lines(of: exchange)
            try await taking(lines, exchange.context)
            return Answers.success(exchange, facts, tag: nil) { out in
                JSONCoder.encode(CSVForm.Outcome(imported: lines.count), into: &out)
            }
        }
        return try await inner.answer(exchange)
    }

    private func names(_ field: String?) -> Bool {
        field?.lowercased().hasPrefix(Self.mediaType) ?? false
    }

    private func lines(of exchange: Exchange) async throws(APIError) -> [CSVForm.Line] {
        let bytes: [UInt8]
        do throws(BodyError) {
            bytes = try await exchange.passage.request.body.collect(limit: limits.body)
        } catch {
            throw APIError(error)
        }
        let rows: [[String]]
        do throws(CSV.Problem) {
            rows = try CSV.parse(bytes)
        } catch {
            throw APIError(facts.invalid, field: "\(error.line)", error.message)
        }
        // Lists from elsewhere have a # before the first name.
        let names = (rows.first ?? []).map {
            $0.drop { $0 == "#" }.lowercased().filter { !$0.isWhitespace }
        }
        guard Set(names).count == names.count, !names.isEmpty else {
            throw APIError(facts.invalid, field: "1", "must hold the names of the columns")
        }
        var lines: [CSVForm.Line] = []
        for (index, row) in rows.enumerated().dropFirst() {
            guard row.count == names.count else {
                throw APIError(
                    facts.invalid, field: "\(index + 1)", "must have \(names.count) fields")
            }
            lines.append(
                CSVForm.Line(
                    number: index + 1,
                    fields: Dictionary(uniqueKeysWithValues: zip(names, row))))
        }
        return lines
    }
}
