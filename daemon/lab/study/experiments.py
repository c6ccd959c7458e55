"""The experiments as they are told: which cells stand in which table, and what the paper found there."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.lab.study.claims import Claim, at_least, lower, not_lower, stays


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table."""

    label: str
    cell: str
    """experiment/variant."""
    published: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the paper says, and what our figures would have to be."""

    says: str
    short: str
    """The same in a few words, for the top of the page."""
    needs: tuple[str, ...]
    claims: tuple[Claim, ...]
    """What it says of our figures; it holds where all of them do."""
    why: str
    """Why it may be otherwise here, as far as it is known beforehand."""
    because: str
    """The same in a few words."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A table."""

    title: str
    topic: str
    """What it is about, for the top of the page."""
    text: str
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = ()


_OURS = "table2/ours"
_PLAIN = "table1/bare"
_DENSITY = (
    "Sheets here hold 20 cracks on 20 to 30 million px at scale small, so precision counts far fewer clean windows for "
    "a crack than a real sheet does."
)

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "Table 1: the shipped detector",
        "The published threshold (Table 1)",
        "As shipped: each product's own recipe, as `linesentry evaluate detector` judges it: what the classifier "
        "vetoes is not found, and what lies up to a feature unit below the learnt floor is where it takes it for a "
        "crack. All other rows of the weights that ship, also in Tables 4 and 5, the ablation and the figures, are of "
        "the bare detector: these weights in a recipe of defaults, without a classifier. "
        "Three rows are readings of the published rule, each with the published opening. The last three are the "
        "published form: full resolution, trained from scratch on patches of 27 x 27 px by SGD (0.01, momentum 0.9, "
        "divided by 5 every 50 epochs, an epoch being a 250th of the time). It has the crops and the time of Table 2. "
        "Those rows share one training, whose weights the first of them keeps beside the JSON file. Our adaptive rule "
        f"chose its floor on sheets of P10B and U20B. The paper's own figures of this table are lost. {_DENSITY}",
        (
            Row("as shipped: the product's recipe, with the classifier's veto", "table1/as_shipped"),
            Row("bare detector: adaptive from the learnt floor", "table1/bare"),
            Row("published: mu + 3 sigma of the upper component", "table1/mu_3sigma"),
            Row("published: top 0.3 % of the window", "table1/top_fraction"),
            Row("published: top 0.3 % of the upper component", "table1/top_fraction_foreground"),
            Row("full resolution, trained as published: adaptive", "table1/full_adaptive"),
            Row("full resolution, trained as published: mu + 3 sigma of the upper component", "table1/full_mu_3sigma"),
            Row("full resolution, trained as published: top 0.3 % of the window", "table1/full_top_fraction"),
        ),
        (
            Finding(
                "the top 0.3 % of the feature values are the defects (M 88-91)",
                "the top 0.3 % of the values are the cracks",
                ("table1/top_fraction",),
                (at_least("table1/top_fraction", "precision", 0.5),),
                "the rule flags 0.3 % of every window, 1,268 px, also of the many that hold no defect (539 of 561 on "
                "the paper's P10B): the best of what is not a crack is reported there",
                "most windows hold no crack, and their best 0.3 % is reported too",
            ),
            Finding(
                "a feature value beyond mu + 3 sigma of the foreground peak marks a defect (M 91)",
                "values beyond mu + 3 sigma are the cracks",
                ("table1/mu_3sigma",),
                (at_least("table1/mu_3sigma", "precision", 0.5),),
                "where a window holds no crack the upper of two fitted components is a part of the background, and "
                "values beyond its three sigma are that background's tail",
                "without a crack the upper component is background, and its tail is reported",
            ),
            Finding(
                "network and rule as published find the cracks, with either reading of the rule (M 88-91, 106-107)",
                "network and rule as published, at full resolution, find the cracks",
                ("table1/full_mu_3sigma", "table1/full_top_fraction"),
                (
                    at_least("table1/full_mu_3sigma", "f1", 0.5),
                    at_least("table1/full_top_fraction", "f1", 0.5),
                ),
                "the rule is the same as above, and a network that learns patches of 27 px has never seen what tells "
                "a ridge from a crack a hundred px around",
                "the rule reports something in every window, and patches of 27 px show no ridge whole",
            ),
        ),
    ),
    Experiment(
        "Table 2: against small general detectors",
        "General detectors (Table 2)",
        "An anchor-free detector after FCOS and NanoDet-Plus, an anchor-based one after YOLO and a small EfficientDet "
        "stand for the paper's YOLOv8-nano, EfficientDet-Lite0 and NanoDet-Plus-m-320, on one small backbone. Strides "
        "are 8 to 32 px of the whole window for YOLO and of the halved one for NanoDet, as theirs; 8 to 64 px of the "
        "whole one for EfficientDet, whose own 16 to 256 leave cracks without anchors. All are trained here from "
        "scratch, ours too: the same crops of P10B and U20B at half resolution, the same turns and flips, the same "
        "optimiser, the same processor time. All score the same windows of 650 px. Ours sees 160 px of the sheet "
        "around a swath of them, as the detector works; the general ones see each window alone and merge across the "
        "overlap by suppression. Each one's level (and the suppression's overlap) is the best by F1 on sheets of P10B "
        "and U20B. The losses of the first two general ones were chosen by their figures on the test sheets, which "
        "favours them; ours was not, and EfficientDet's is its authors'. "
        "The published recalls are not possible with its 317 defects, so they are no exact figures.",
        (
            Row("ours: templates and feature network, a value a pixel", _OURS),
            Row("anchor-free (FCOS, NanoDet)", "table2/anchor_free", "NanoDet-Plus R 46.75 %"),
            Row("anchor-based (YOLO)", "table2/anchor_based", "YOLOv8-nano R 78.04 %"),
            Row("small EfficientDet", "table2/efficientdet", "EfficientDet-Lite0 P 77.00 %"),
        ),
        (
            Finding(
                "the general detectors do worse than the proposed network (M 135)",
                "NanoDet's and YOLO's kind do worse than the proposed network",
                (_OURS, "table2/anchor_free", "table2/anchor_based"),
                tuple(lower(other, _OURS, "f1") for other in ("table2/anchor_free", "table2/anchor_based")),
                "our network's level is chosen in a grid of the floor alone, and minutes on one thread tell how fast "
                "each learns, not how good it becomes",
                "minutes of training tell how fast each learns, not how good it becomes",
            ),
            Finding(
                "EfficientDet confuses cracks with the background, so its precision falls (P 77.00 %)",
                "EfficientDet has a lower precision",
                (_OURS, "table2/efficientdet"),
                (lower("table2/efficientdet", _OURS, "precision"),),
                "precision follows the level that F1 chooses, and a small BiFPN has two layers instead of seven blocks",
                "precision follows the level that F1 chooses",
            ),
            Finding(
                "NanoDet misses more than YOLO does (R 46.75 % against 78.04 %)",
                "NanoDet misses more than YOLO",
                ("table2/anchor_free", "table2/anchor_based"),
                (lower("table2/anchor_free", "table2/anchor_based", "recall"),),
                "both stand on the same backbone here, and recall follows the level that F1 chooses",
                "both stand on one backbone here",
            ),
        ),
    ),
    Experiment(
        "Classical methods of the introduction",
        "Classical filters (introduction)",
        "Each at half resolution on the whole sheet: a Gaussian matched filter and even Gabor filters (two widths, "
        "eight directions, over the mean answer around), Canny (upper threshold; the lower is 0.4 of it; sides joined "
        "by a closing), Otsu of what lies above the background of 62 px, in each window. Threshold and least length of "
        "a group were chosen together by F1 on eight sheets of P10B and U20B; a rim of 56 px, in which a sheet's "
        "outline lies, is blanked for them.",
        (
            Row("Gaussian template", "classical/gaussian"),
            Row("Gabor", "classical/gabor"),
            Row("Canny", "classical/canny"),
            Row("Otsu", "classical/otsu"),
        ),
        (
            Finding(
                "hand-made features struggle with the diverse forms of microcracks (M, introduction)",
                "hand-made filters do worse than the network",
                (_OURS, "classical/gaussian", "classical/gabor", "classical/canny", "classical/otsu"),
                tuple(lower(f"classical/{name}", _OURS, "f1") for name in ("gaussian", "gabor", "canny", "otsu")),
                "a network trained for minutes may not yet be better than a good filter",
                "a network trained for minutes may not yet beat a good filter",
            ),
        ),
    ),
    Experiment(
        "Table 3: other receptive fields in the same network",
        "Other receptive fields (Table 3)",
        "Each module stands in the place of our network's dilated parts, at 1/32 of the plate's resolution; templates, "
        "levels and the rest stay. Trained alike, as in Table 2. The paper puts them against its templates; what "
        "templates do here is in the ablation.",
        (
            Row("ours: dilated convolutions", _OURS),
            Row("ASPP", "table3/aspp"),
            Row("RFB", "table3/rfb"),
            Row("DRConv", "table3/drconv"),
        ),
        (
            Finding(
                "ASPP misses more",
                "ASPP misses more",
                (_OURS, "table3/aspp"),
                (lower("table3/aspp", _OURS, "recall"),),
                "here the templates that match widths stand before it, which the paper's ASPP had to do without",
                "the templates stand before it here",
            ),
            Finding(
                "RFB finds more that is false",
                "RFB finds more that is false",
                (_OURS, "table3/rfb"),
                (lower("table3/rfb", _OURS, "precision"),),
                "here it works on coarse levels, where it tells ridges from cracks, not on the cracks' own pixels",
                "it works on coarse levels here, not on the cracks' own pixels",
            ),
            Finding(
                "DRConv overfits",
                "DRConv overfits",
                (_OURS, "table3/drconv"),
                (lower("table3/drconv", _OURS, "f1"),),
                "hundreds of simulated crops, turned and flipped, are no small sample any more",
                "hundreds of turned and flipped crops are no small sample",
            ),
        ),
    ),
    Experiment(
        "Table 4: strides",
        "Strides of the patches (Table 4)",
        "The bare detector (Table 1). The paper's second level: patches of 64 x 64 px inside each window, judged one "
        "by one; what two patches share, of one window or of two, is one defect, nothing more is joined. Beside it "
        "whole windows of 650 px, 600 or 650 px apart, joined across their seams and seen with 160 px of the sheet "
        "around a swath of them, as the detector works. Patches see no more than their window.",
        (
            Row("patches of 64, stride 32 (the paper's choice)", "table4/patches_32"),
            Row("patches of 64, stride 64", "table4/patches_64"),
            Row("patches of 64, stride 128", "table4/patches_128"),
            Row("windows of 650, stride 600 (as in the recipes)", "table1/bare"),
            Row("windows of 650, stride 650", "table4/windows_650"),
        ),
        (
            Finding(
                "stride 64 lowers recall and raises precision against 32",
                "stride 64 loses recall and gains precision",
                ("table4/patches_32", "table4/patches_64"),
                (
                    lower("table4/patches_64", "table4/patches_32", "recall"),
                    lower("table4/patches_32", "table4/patches_64", "precision"),
                ),
                "a crack that is cut by a patch's border is still seen in its pieces, so it is not missed; with no "
                "overlap nothing joins the pieces, and all but one count false (see the fragments)",
                "a crack cut by a border is found in pieces, and each piece more counts false",
            ),
            Finding(
                "stride 128 lowers recall: cracks lie in the gaps",
                "stride 128 loses cracks in its gaps",
                ("table4/patches_32", "table4/patches_128"),
                (lower("table4/patches_128", "table4/patches_32", "recall"),),
                "a crack may be longer than a gap",
                "a crack may be longer than a gap",
            ),
            Finding(
                "stride 128 keeps precision high",
                "stride 128 keeps precision high",
                ("table4/patches_32", "table4/patches_128"),
                (not_lower("table4/patches_128", "table4/patches_32", "precision"),),
                "pieces of one crack on both sides of a gap count false",
                "pieces on both sides of a gap count false",
            ),
        ),
    ),
    Experiment(
        "Ablation",
        "Templates and mixture (ablation)",
        "Templates: our network trained from scratch as in Table 2, learned kernels of the same size and number in the "
        "place of all templates, or of all but the one of 11 px. Mixture and shape: the bare detector (Table 1); the "
        "floor of the last two was chosen anew on sheets of P10B and U20B, with and without the bonus that lines get "
        "over blobs.",
        (
            Row("three templates", _OURS),
            Row("one template, learned kernels for the others", "ablation/one_template"),
            Row("no template, learned kernels instead", "ablation/no_templates"),
            Row("published rule with mixture: top 0.3 % of its upper component", "table1/top_fraction_foreground"),
            Row("without mixture: top 0.3 % of the window", "table1/top_fraction"),
            Row("adaptive rule, with shape", "ablation/with_shape"),
            Row("adaptive rule, without shape", "ablation/without_shape"),
        ),
        (
            Finding(
                "templates enhance the features (M 72-87)",
                "fixed templates help",
                (_OURS, "ablation/no_templates"),
                (lower("ablation/no_templates", _OURS, "f1"),),
                "learned kernels of 11 x 11 can become templates by themselves, given crops enough",
                "learned kernels of 11 x 11 px can become templates",
            ),
            Finding(
                "several scales cover the widths better than one",
                "three widths of template are better than one",
                (_OURS, "ablation/one_template"),
                (lower("ablation/one_template", _OURS, "f1"),),
                "learned kernels stand in the place of the other scales",
                "learned kernels take the place of the other widths",
            ),
            Finding(
                "the mixture tells defects from noise",
                "the mixture of two components tells cracks from noise",
                ("table1/top_fraction", "table1/top_fraction_foreground"),
                (lower("table1/top_fraction", "table1/top_fraction_foreground", "f1"),),
                "cracks cover a few thousandths of a window, too few to make a component: both components are "
                "background, and the share is taken of whatever the upper one is",
                "cracks cover too few px to make a component",
            ),
        ),
    ),
    Experiment(
        "Table 5: interference",
        "Oil, light and noise (Table 5)",
        "The bare detector (Table 1), no retuning, the same sheets with and without the disturbance at strength 1. "
        "Cracks of which oil leaves less than 30 % to be seen count neither way.",
        (
            Row("undisturbed", "table1/bare"),
            Row("oil", "table5/oil"),
            Row("noise", "table5/noise"),
            Row("light", "table5/light"),
        ),
        (
            Finding(
                "oil lowers recall and leaves precision",
                "oil costs recall alone",
                ("table1/bare", "table5/oil"),
                (lower("table5/oil", _PLAIN, "recall"), stays("table5/oil", _PLAIN, "precision")),
                "hidden cracks are not asked for here, and the rims of oil are lines too",
                "hidden cracks are not asked for, and the rims of oil are lines too",
            ),
            Finding(
                "light lowers precision and leaves recall",
                "light costs precision alone",
                ("table1/bare", "table5/light"),
                (lower("table5/light", _PLAIN, "precision"), stays("table5/light", _PLAIN, "recall")),
                "the network was trained under changed light, and a lower contrast makes faint cracks fainter",
                "the network was trained under changed light, and faint cracks grow fainter",
            ),
            Finding(
                "noise lowers both a little",
                "noise costs a little of both",
                ("table1/bare", "table5/noise"),
                (lower("table5/noise", _PLAIN, "recall"), lower("table5/noise", _PLAIN, "precision")),
                "the threshold rises with a restless window, so what is lost is recall alone",
                "the threshold rises with noise, so recall alone is lost",
            ),
        ),
    ),
)
