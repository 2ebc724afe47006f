"""The part of the package that needs no ROS, for pip; colcon goes by package.xml instead."""

from setuptools import find_packages, setup

setup(
    name="hamer_ros",
    version="0.1.0",
    description="Metric hand poses, joints and surfaces from a camera image",
    license="Apache-2.0",
    author="hamer_ros maintainers",
    author_email="maintainers@hamer-ros.dev",
    python_requires=">=3.10",
    packages=find_packages(include=["hamer_ros", "hamer_ros.*"]),
    package_data={
        "hamer_ros.bench": ["data/*.npz"],
        "hamer_ros.hand_model": ["data/*.npz"],
    },
    entry_points={"console_scripts": ["hamer_ros=hamer_ros.cli:main"]},
    install_requires=[
        "numpy",  # all mathematics
        "onnxruntime",  # runs the nets, on any processor
        "opencv-python-headless",  # reads and warps images; without a window system
        "pyyaml",  # camera calibrations
        "tqdm",  # progress of what takes long
    ],
    extras_require={
        # It overwrites onnxruntime, which pip brings all the same: install it last, on its own.
        "gpu": ["onnxruntime-gpu"],
        # Turn the fetched nets into ONNX, once.
        "convert": ["onnx", "tflite"],
        # Read HaMeR's checkpoint, which is a torch file, and run its network.
        "hamer": ["torch"],
        # Write that network as ONNX, for machines without torch.
        "export": ["onnx", "onnxscript", "torch"],
        # Make the hand model that the package carries anew.
        "sculpt": ["scikit-image", "scipy"],
        "test": ["hypothesis", "pytest", "smplx"],
    },
)
