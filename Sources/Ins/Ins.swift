import Base
import Crypto
import Net
import Runtime

/// Starts Ins, which runs the rooms of a node.
@main
public enum Ins {
    static let program = Program(
        name: "ins",
        summary: "An instance server: runs rooms for a node, and dials out to its Reil.",
        settings: InsSettings.all, elsewhere: NodeSettings.keys,
        subcommands: [], serve: serve)

    /// Runs until told to stop.
    public static func main() { ProcessMain.run(program) }

    private static func serve(_ launch: Launch) async throws -> Serving {
        let settings = InsSettings(launch.config)
        let path = launch.config[InsSettings.credential]
        let credential = try await launch.waitFor("the credential \(path)") {
            try KeyFiles.read(path, setting: "ins.credential")
        }
        let tls: TLSClientConfiguration
        do throws(TLSError) {
            tls = try TLSClientConfiguration(caFile: settings.caFile)
        } catch {
            throw Fault(error.text, remedy: "set federation.ca_file to a PEM file")
        }
        let loop = launch.group.loops[0]
        let host = InstanceHost(
            loop: loop, tick: settings.tick, capacity: settings.capacity, ambient: launch.ambient)
        let resolver = Resolver(
            pool: BlockingPool(name: "resolver", threads: 1, queueLimit: 64))
        let client = HTTPClient(group: launch.group, resolver: resolver, tls: tls)
        let dialer = LinkDialer(
            settings, credential: credential, host: host, loop: loop, client: client,
            ambient: launch.ambient)
        return Serving(
            [dialer], address: { settings.name },
            health: { dialer.isLinked ? ["reil": "up"] : nil })
    }
}
