/// Where in a head the parts of its target are.
struct RequestTarget: Sendable, Equatable {
    var start: UInt16 = 0
    var end: UInt16 = 0
    var path: UInt16 = 0
    var pathEnd: UInt16 = 0
    var authority: UInt16 = 0
    var authorityEnd: UInt16 = 0
}

/// How a request's body ends, RFC 9112 §6.3; a request has no other ways.
enum RequestFraming: Sendable, Equatable {
    case none
    case length(Int64)
    case chunked
}
