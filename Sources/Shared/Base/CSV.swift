/// Tables as text, RFC 4180: fields parted by commas, lines by CRLF or LF, what holds either or a quote
/// in quotes that are doubled inside.
public enum CSV {
    /// What is no table.
    public struct Problem: Error, Sendable, Equatable {
        /// The line where it shows, from 1.
        public let line: Int
        /// What is wrong there.
        public let message: String
    }

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// Where the reader is in a field.
    private enum Place {
        case start, plain, quoted, closed
    }

    /// The lines of a table, without those that are empty; a byte order mark before it is passed over.
    public static func parse(_ bytes: [UInt8]) throws(Problem) -> [[String]] {
        var bytes = bytes[...]
        if bytes.starts(with: byteOrderMark) { bytes = bytes.dropFirst(3) }
        var rows: [[String]] = []
        var row: [String] = []
        var field: [UInt8] = []
        var place = Place.start
        var line = 1

        func endField() throws(Problem) {
            guard let text = String(validating: field, as: UTF8.self) else {
                throw Problem(line: line, message: "is not UTF-8")
            }
            row.append(text)
            field = []
        }
        func endRow() throws(Problem) {
            let isEmpty = row.isEmpty && field.isEmpty && place == .start
            if !isEmpty {
                try endField()
                rows.append(row)
            }
            row = []
            place = .start
        }

        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            switch (place, byte) {
            case (.quoted, UInt8(ascii: "\"")):
                place = .closed
            case (.quoted, _):
                if byte == UInt8(ascii: "\n") { line += 1 }
                field.append(byte)
            case (.closed, UInt8(ascii: "\"")):
                field.append(byte)
                place = .quoted
            case (.start, UInt8(ascii: "\"")):
                place = .quoted
            case (_, UInt8(ascii: ",")):
                try endField()
                place = .start
            case (_, UInt8(ascii: "\n")):
                try endRow()
                line += 1
            case (_, UInt8(ascii: "\r")):
                guard index < bytes.endIndex, bytes[index] == UInt8(ascii: "\n") else {
                    throw Problem(line: line, message: "has a carriage return by itself")
                }
                index += 1
                try endRow()
                line += 1
            case (.closed, _):
                throw Problem(line: line, message: "has something behind a closing quote")
            case (.plain, UInt8(ascii: "\"")):
                throw Problem(line: line, message: "has a quote inside a field without quotes")
            case (.start, _), (.plain, _):
                field.append(byte)
                place = .plain
            }
        }
        if place == .quoted {
            throw Problem(line: line, message: "has a quote that is never closed")
        }
        try endRow()
        return rows
    }

    /// The text of a table.
    public static func write(_ rows: [[String]]) -> [UInt8] {
        var out: [UInt8] = []
        for row in rows {
            for (index, field) in row.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                let needsQuotes =
                    (row.count == 1 && field.isEmpty) || field.utf8.starts(with: byteOrderMark)
                    || field.utf8.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
                if needsQuotes {
                    out.append(UInt8(ascii: "\""))
                    for byte in field.utf8 {
                        if byte == UInt8(ascii: "\"") { out.append(byte) }
                        out.append(byte)
                    }
                    out.append(UInt8(ascii: "\""))
                } else {
                    out.append(contentsOf: field.utf8)
                }
            }
            out.append(contentsOf: "\r\n".utf8)
        }
        return out
    }
}
