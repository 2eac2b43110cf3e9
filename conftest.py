"""What pytest must not import when it looks for docstring examples."""

# Modules of the Geant4 worker process: importing geant4_pybind without its tables asks a question or starts a download.
collect_ignore = [f"src/showercal/simulation/_geant4_{part}.py" for part in ("geometry", "scoring", "session")]
