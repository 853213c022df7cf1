import Base
import Domain
import Storage

/// What was reported.
enum ReportStore {
    private struct ReportRow: RowDecodable {
        static let columns: SQL = """
            number, about, reason, reporter, origin, state, note, created_at, updated_at
            """
        let report: Report

        init(row: borrowing Row) throws(DatabaseError) {
            report = Report(
                id: try row.value(0, "number"), about: try row.value(1, "about"),
                reason: try row.value(2, "reason"), by: try row.value(3, "reporter"),
                from: try row.value(4, "origin"), state: try row.value(5, "state"),
                note: try row.value(6, "note"), createdAt: try row.value(7, "created_at"),
                updatedAt: try row.value(8, "updated_at"))
        }
    }

    private static let insert = Query<
        ReportSubject, Reason, UserReference?, ServerAddress?, Timestamp, Int64
    >(
        """
        INSERT INTO report (about, reason, reporter, origin, state, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, 'open', ?5, ?5)
        RETURNING number
        """)
    private static let wanted: SQL = """
        (?1 IS NULL OR state = ?1)
        AND (?2 IS NULL OR instr(about, ?2) > 0 OR instr(lower(reason), ?2) > 0)
        """
    private static let page = Query<ReportState?, String?, Int64, Int, ReportRow>(
        """
        SELECT \(ReportRow.columns) FROM report WHERE \(wanted) AND number < ?3
        ORDER BY number DESC
        LIMIT ?4
        """)
    private static let count = Query<ReportState?, String?, Int>(
        "SELECT count(*) FROM report WHERE \(wanted)")
    private static let one = Query<Int64, ReportRow>(
        "SELECT \(ReportRow.columns) FROM report WHERE number = ?1")
    private static let handle = Command<Int64, ReportState, Reason?, Timestamp>(
        "UPDATE report SET state = ?2, note = ?3, updated_at = ?4 WHERE number = ?1")
    private static let dropOldest = Command<ReportState>(
        """
        DELETE FROM report WHERE number = (
            SELECT number FROM report WHERE state = ?1 ORDER BY number LIMIT 1)
        """)

    /// Adds a report. Where there are `limit`, the oldest that is closed makes room.
    ///
    /// - Throws: 68 where none is.
    static func add(
        _ about: ReportSubject, _ reason: Reason, by reporter: UserReference? = nil,
        from origin: ServerAddress? = nil, limit: Int, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Report {
        if try transaction.reader.first(count, nil, nil) ?? 0 >= limit {
            guard try transaction.run(dropOldest, .closed) > 0 else {
                throw APIError(.insufficientStorage, context: "\(limit) reports, none closed")
            }
        }
        let number = try transaction.first(insert, about, reason, reporter, origin, now)
        return Report(
            id: number ?? 0, about: about, reason: reason, by: reporter, from: origin,
            createdAt: now, updatedAt: now)
    }

    /// At most `limit` that are older than the report `before`, and how many there are.
    static func page(
        _ state: ReportState?, search: String?, before: Int64?, limit: Int,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (found: [Report], total: Int) {
        let found = try reader.all(page, state, search, before ?? .max, limit).map(\.report)
        return (found, try reader.first(count, state, search) ?? 0)
    }

    /// The report with that number.
    static func find(
        _ id: Int64, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Report? {
        try reader.first(one, id)?.report
    }

    /// What has become of a report.
    static func handle(
        _ id: Int64, _ state: ReportState, note: Reason?, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(handle, id, state, note, now)
    }
}

extension ReportSubject: ColumnValue {}
extension ReportState: ColumnValue {}
