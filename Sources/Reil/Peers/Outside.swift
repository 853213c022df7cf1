import Crypto
import Net
import Runtime

/// What every connection to somebody else's machine goes by, docs/federation §6: whom TLS believes,
/// and where a connection may go.
struct Outside {
    /// Where connections may go.
    let outbound: OutboundGuard
    private let tls: TLSClientConfiguration
    private let resolver: Resolver

    init(_ settings: ReilSettings, resolver: Resolver) throws(Fault) {
        do throws(TLSError) {
            tls = try TLSClientConfiguration(caFile: settings.caFile)
        } catch {
            throw Fault(error.text, remedy: "set federation.ca_file to a file of certificates")
        }
        outbound = OutboundGuard(
            allowed: settings.allowNetworks, insecurePeers: settings.insecurePeers)
        self.resolver = resolver
    }

    /// A client with connections of its own.
    func client(limits: ClientLimits, on group: EventLoopGroup) -> HTTPClient {
        HTTPClient(group: group, resolver: resolver, tls: tls, limits: limits)
    }
}
