import Base
import Runtime
import Testing

private struct Strange: Error {}

private func program() -> Program {
    Program(
        name: "eta", summary: "A program.", settings: [],
        subcommands: [
            Subcommand("say", arguments: ["WORD"], help: "Says a word") { launch in
                let word = launch.invocation.arguments[0]
                if launch.invocation.json {
                    launch.answer(json: ["said": .string(word)])
                } else {
                    launch.answer(word)
                }
            },
            Subcommand("ask", help: "Asks") { try $0.confirm("Forget everything?") },
            Subcommand("fault", help: "Fails") { _ in
                throw Fault("the port is taken", remedy: "free it")
            },
            Subcommand("bug", help: "Fails") { _ in throw Strange() },
        ]
    ) { launch in
        launch.ambient.log.notice("put together")
        return Serving([Short()], address: { "127.0.0.1:1" })
    }
}

/// Runs until all are started, and fails then.
private struct Short: Component {
    let name = "short"
    func run() async throws { throw Fault("the disk is full", remedy: "make room") }
}

/// How a process ends, and what it has said by then: exit codes of docs/operate/README.md.
struct ProcessMainTests {
    private func text(_ bytes: [UInt8]?) -> String {
        String(decoding: bytes ?? [], as: UTF8.self)
    }

    @Test func `bad configuration is one line and exit 2`() async {
        let result = await #expect(
            processExitsWith: .exitCode(2), observing: [\.standardErrorContent]
        ) {
            ProcessMain.run(program(), arguments: ["--loops", "many"], environment: [:])
        }
        let said = text(result?.standardErrorContent)
        #expect(
            said.contains("eta: loops is \"many\" by --loops: give a whole number from 0 to 256\n"))
    }

    @Test func `a fault is one line and exit 1`() async {
        let result = await #expect(
            processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
        ) {
            ProcessMain.run(program(), arguments: ["fault"], environment: [:])
        }
        let said = text(result?.standardErrorContent)
        #expect(said.contains("eta: the port is taken: free it\n"))
    }

    @Test func `what nobody foresaw is exit 1 too`() async {
        await #expect(processExitsWith: .exitCode(1)) {
            ProcessMain.run(program(), arguments: ["bug"], environment: [:])
        }
    }

    @Test func `a subcommand answers on stdout and ends with 0`() async {
        let result = await #expect(
            processExitsWith: .exitCode(0), observing: [\.standardOutputContent]
        ) {
            ProcessMain.run(program(), arguments: ["say", "hi", "--json"], environment: [:])
        }
        let said = text(result?.standardOutputContent)
        #expect(said.contains("{\"said\":\"hi\"}\n"))
    }

    @Test func `who cannot be asked has to say yes`() async {
        await #expect(processExitsWith: .exitCode(2)) {
            ProcessMain.run(program(), arguments: ["ask"], environment: [:])
        }
        await #expect(processExitsWith: .exitCode(0)) {
            ProcessMain.run(program(), arguments: ["ask", "--yes"], environment: [:])
        }
    }

    @Test func `a part that fails ends the process in order, log and all`() async {
        let result = await #expect(
            processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
        ) {
            ProcessMain.run(
                program(), arguments: ["--log-format=logfmt", "--loops=1"], environment: [:])
        }
        let said = text(result?.standardErrorContent)
        #expect(said.contains("level=notice msg=\"put together\"\n"))
        #expect(said.contains("eta: the disk is full: make room\n"))
    }
}
