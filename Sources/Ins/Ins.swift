/// Starts Ins.
@main
public enum Ins {
    /// Runs until told to stop.
    public static func main() {}
}
