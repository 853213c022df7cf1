import Base
import COpenSSL

/// What OpenSSL says about its last failure on this thread, with its queue left empty.
public struct OpenSSLError: Error, Sendable, Equatable {
    /// What was being done.
    public let operation: String
    /// One line for each entry of the queue, oldest first.
    public let reasons: [String]
    /// The code of the newest entry, zero when the queue had none.
    let code: UInt

    /// The operation and its reasons in one line.
    public var text: String {
        reasons.isEmpty ? operation : operation + ": " + reasons.joined(separator: ", ")
    }

    /// The reason within its library, as `X509_R_…` and its like count them.
    var reason: Int32 { Int32(truncatingIfNeeded: code & 0x7F_FFFF) }

    /// Takes everything out of this thread's queue.
    ///
    /// The queue has to be empty before the next call: `SSL_get_error` looks at what is left in it.
    static func drain(_ operation: String) -> OpenSSLError {
        var reasons: [String] = []
        var code: UInt = 0
        while true {
            let next = ERR_get_error()
            if next == 0 { break }
            code = next
            reasons.append(Self.text(next))
        }
        return OpenSSLError(operation: operation, reasons: reasons, code: code)
    }

    /// `error:code:library:function:reason`, of which the reason is for people; the errors of the
    /// system have theirs here alone.
    private static func text(_ code: UInt) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        unsafe ERR_error_string_n(code, &buffer, buffer.count)
        let line = String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return line.split(separator: ":", maxSplits: 4, omittingEmptySubsequences: false)
            .last.map { String($0) } ?? line
    }
}
